/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What makes a sample of a thread with its stacks, and sends it: for probes that name their record
 * (SAMPLE_RECORD) before they include this.
 *
 * Invariants: a sample is sent, whole or with the reason why it is not. A process, or a piece of code, that user
 * space has not described yet costs no sample: its registers and the top of its stack go along, for user space to
 * walk.
 */
#ifndef CHANDRA_SAMPLE_H
#define CHANDRA_SAMPLE_H

#include "python.h"
#include "walk.h"

/* include/uapi/linux/perf_event.h: as deep as the kernel walks its own stack, if nobody set it otherwise. */
#define MAX_KERNEL_FRAMES 127
#define FRAMES_AT_ONCE    16

/* A process this young may be gone soon, and with it the names of its code. */
#define YOUNG_NS 1000000000ull

/* Bytes: about 28,300 x CPUs; the kernel gives no more than 32,768 to one. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

int walk_on(void *ctx);
int walk_python(void *ctx);

enum { WALK_ON, WALK_PYTHON };

/* A walk goes on in a program of its own, so that one is short enough for the verifier of any kernel. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} walkers SEC(".maps") = {
	.values = { [WALK_ON] = (void *)&walk_on, [WALK_PYTHON] = (void *)&walk_python },
};

static __always_inline struct scratch *own_scratch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&scratches, &zero);
}

/* Whether user space could walk where the probe cannot: it only lacks knowledge. */
static __always_inline bool is_for_want_of_knowledge(__u32 end)
{
	return end == SAMPLE_END_UNKNOWN_PROCESS || end == UNWIND_END_NO_MAPPING ||
	       end == UNWIND_END_RETURN_NOT_CODE;
}

/* Registers and the top of the stack, as far as it can be read, behind the frames. */
static __always_inline void copy_stack(struct scratch *scratch, __u32 frames)
{
	__u32 first = frames;
	__u64 sp = scratch->registers[WORD_SP], copied = 0;
	char *stack;

	barrier_on(first);
	if (first > MAX_FRAMES)
		return;
	__builtin_memcpy(&scratch->words[first], scratch->registers, sizeof(scratch->registers));
	scratch->record.register_count = REGISTER_WORDS;
	stack = (char *)&scratch->words[first + REGISTER_WORDS];
	for (int i = 0; i < STACK_BYTES / STACK_PART_BYTES; i++) {
		if (bpf_probe_read_user(stack + i * STACK_PART_BYTES, STACK_PART_BYTES,
					(void *)(sp + i * STACK_PART_BYTES)))
			break;
		copied += STACK_PART_BYTES;
	}
	scratch->record.stack_bytes = copied;
}

/* Whether its process may be gone before it is looked at what its code is called. */
static __always_inline bool is_urgent(const struct SAMPLE_RECORD *record)
{
	return record->python_frames &&
	       record->time_ns - record->process.start_boottime_ns < YOUNG_NS;
}

/*
 * Nobody waits for a single sample, and to wake a reader costs more than to take one: so it is woken when much is
 * pending, or urgent, and else looks by itself. But who is not known yet may be gone by then, with what his names are
 * found in, and brings a stack along that takes much room: that is told at once.
 */
static __always_inline void submit_without_haste(void *ctx, struct SAMPLE_RECORD *record,
						 __u64 size)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (config.use_perf_buffer) {
		submit(ctx, record, size, 0);
		return;
	}
	if (is_urgent(record) || bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= config.wake_bytes)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&events, record, size, flags))
		COUNT(lost);
	else
		COUNT(submitted);
}

static __always_inline int finish(void *ctx, struct scratch *scratch)
{
	struct SAMPLE_RECORD *record = &scratch->record;
	__u32 end = scratch->end;
	bool is_large = is_for_want_of_knowledge(end);
	__u64 bytes;
	__u32 frames;

	record->user_frames = scratch->walk.frames;
	record->user_end = end;
	frames = record->kernel_frames + record->python_frames + record->user_frames;
	if (is_large)
		copy_stack(scratch, frames);
	bytes = (frames + record->register_count) * 8 + record->stack_bytes;
	barrier_on(bytes);
	if (bytes > sizeof(scratch->words))
		bytes = sizeof(scratch->words);
	if (is_large)
		submit(ctx, record, sizeof(*record) + bytes, bpf_ktime_get_ns());
	else
		submit_without_haste(ctx, record, sizeof(*record) + bytes);
	return 0;
}

/* As many frames as one program takes; false when the walk has ended. */
static __always_inline bool walk_frames(struct scratch *scratch,
					struct remembered_rules *remembered)
{
	for (int i = 0; i < FRAMES_AT_ONCE; i++) {
		scratch->end = step(scratch, remembered);
		if (scratch->end != GOES_ON)
			return false;
	}
	return true;
}

/* As much of a walk as one program does: the body of `walk_on`. */
static __always_inline int walk_part(void *ctx)
{
	struct remembered_rules *remembered;
	struct scratch *scratch = own_scratch();
	__u32 zero = 0;

	remembered = bpf_map_lookup_elem(&remembered_rules, &zero);
	if (!scratch || !remembered)
		return 0;
	if (walk_frames(scratch, remembered)) {
		bpf_tail_call(ctx, &walkers, WALK_ON);
		/* The kernel allows no more of them. */
		scratch->end = UNWIND_END_DEPTH;
	}
	return finish(ctx, scratch);
}

/* The registers that a thread which is in the kernel came there with; false for one that has none. */
static __always_inline bool read_saved_registers(struct task_struct *task, struct scratch *scratch)
{
	const void *saved;

	if (BPF_CORE_READ(task, flags) & PF_KTHREAD) {
		scratch->record.flags |= SAMPLE_KERNEL_THREAD;
		return false;
	}
	saved = saved_registers(task);
	if (!BPF_CORE_READ(task, mm) || !saved ||
	    bpf_probe_read_kernel(scratch->registers, sizeof(scratch->registers), saved))
		return false;
	return scratch->registers[WORD_PC] != 0;
}

static __always_inline void begin_walk(struct scratch *scratch, struct task_struct *task)
{
	struct walk *walk = &scratch->walk;

	walk->pc = scratch->registers[WORD_PC];
	walk->sp = scratch->registers[WORD_SP];
	walk->fp = scratch->registers[WORD_FP];
#if defined(__TARGET_ARCH_arm64)
	walk->lr = scratch->registers[WORD_LR];
	walk->address_bits = BPF_CORE_READ(task, mm, task_size) - 1;
#else
	(void)task;
#endif
	walk->context = 0;
	walk->is_interrupted = true;
	walk->frames = 0;
	walk->mapping_count = 0;
	scratch->window.bytes = 0;
}

/* False for a process, or a program of it, that user space has not described. */
static __always_inline bool know_process(struct scratch *scratch)
{
	struct profiled_process *known =
		bpf_map_lookup_elem(&processes, &scratch->record.process.pid);

	if (!known || known->start_boottime_ns != scratch->record.process.start_boottime_ns ||
	    known->exec_id != scratch->record.exec_id)
		return false;
	if (!known->mapping_count)
		return false;
	scratch->walk.first_mapping = known->first_mapping;
	scratch->walk.mapping = known->first_mapping;
	scratch->walk.mapping_count = known->mapping_count;
	return true;
}

/* Makes ready for the first step: why there is none, or UNWIND_END_DEPTH, where it would end without one. */
static __always_inline __u32 begin(struct scratch *scratch, struct task_struct *task,
				   bool has_registers)
{
	begin_walk(scratch, task);
	if (!has_registers)
		return SAMPLE_END_NO_USER_STACK;
	if (is_foreign(scratch->registers))
		return SAMPLE_END_FOREIGN;
	return know_process(scratch) ? UNWIND_END_DEPTH : SAMPLE_END_UNKNOWN_PROCESS;
}

/* The stacks that are still to be walked, each by programs of its own. */
static __always_inline int walk_user(void *ctx, struct scratch *scratch)
{
	if (scratch->end == UNWIND_END_DEPTH)
		bpf_tail_call(ctx, &walkers, WALK_ON);
	return finish(ctx, scratch);
}

static __always_inline int walk_stacks(void *ctx, struct scratch *scratch, struct task_struct *task,
				       bool has_registers)
{
	scratch->end = begin(scratch, task, has_registers);
	if ((scratch->end == UNWIND_END_DEPTH || scratch->end == SAMPLE_END_UNKNOWN_PROCESS) &&
	    has_python(scratch, task))
		bpf_tail_call(ctx, &walkers, WALK_PYTHON);
	return walk_user(ctx, scratch);
}

/* As many frames of Python as one program reads, then those of the user: the body of `walk_python`. */
static __always_inline int python_part(void *ctx)
{
	struct scratch *scratch = own_scratch();
	int outcome;

	if (!scratch)
		return 0;
	outcome = walk_python_frames(scratch);
	if (outcome == GOES_ON) {
		bpf_tail_call(ctx, &walkers, WALK_PYTHON);
		outcome = PYTHON_END_DEPTH;
	}
	scratch->record.python_end = outcome;
	return walk_user(ctx, scratch);
}

/* `bytes` of the kernel's stack are in front of the words. */
static __always_inline void took_kernel_stack(struct scratch *scratch, long bytes)
{
	if (bytes <= 0)
		return;
	scratch->record.kernel_frames = bytes / sizeof(__u64);
	if (scratch->record.kernel_frames >= MAX_KERNEL_FRAMES)
		scratch->record.flags |= SAMPLE_KERNEL_TRUNCATED;
}

#endif
