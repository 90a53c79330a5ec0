/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What runs on a CPU when its clock ticks: whose it is, the kernel's stack, and the user's.
 *
 * Invariants: every tick is accounted for. One that finds nobody running is counted as idle (`filtered` in
 * the ledger); any other becomes a sample, whole or with the reason why it is not. A process, or a piece of
 * code, that user space has not described yet costs no sample: its registers and the top of its stack go along,
 * for user space to walk.
 */
#include "event.h"
#include "walk.h"

EXPORT(enum, cpu_profile_kind);
EXPORT(enum, sample_end);
EXPORT(enum, sample_flag);
EXPORT(struct, cpu_sample_record);
EXPORT(struct, profile_mapping);
EXPORT(struct, profiled_process);
EXPORT(struct, tick_counts);

/* include/uapi/linux/perf_event.h: as deep as the kernel walks its own stack, if nobody set it otherwise. */
#define MAX_KERNEL_FRAMES 127
#define FRAMES_AT_ONCE    16

/* Bytes: about 25,500 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

/* Bytes: 24 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tick_counts);
} ticks SEC(".maps");

int walk_on(struct tick_context *ctx);

/* A walk goes on in a program of its own, so that one is short enough for the verifier of any kernel. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} walkers SEC(".maps") = {
	.values = { [0] = (void *)&walk_on },
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
	__u32 first = frames & (MAX_FRAMES - 1);
	__u64 sp = scratch->registers[WORD_SP], copied = 0;
	char *stack;

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

/*
 * Nobody waits for a single sample, and to wake a reader costs more than to take one: so it is woken when much is
 * pending, and else looks by itself.
 */
static __always_inline void submit_without_haste(void *ctx, void *record, __u64 size)
{
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (config.use_perf_buffer) {
		submit(ctx, record, size, 0);
		return;
	}
	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= config.wake_bytes)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_ringbuf_output(&events, record, size, flags))
		COUNT(lost);
	else
		COUNT(submitted);
}

static __always_inline int finish(void *ctx, struct scratch *scratch)
{
	struct cpu_sample_record *record = &scratch->record;
	__u32 end = scratch->end;
	__u64 bytes;
	__u32 frames;

	record->user_frames = scratch->walk.frames;
	record->user_end = end;
	frames = record->kernel_frames + record->user_frames;
	if (is_for_want_of_knowledge(end))
		copy_stack(scratch, frames);
	bytes = (frames + record->register_count) * 8 + record->stack_bytes;
	barrier_on(bytes);
	if (bytes > sizeof(scratch->words))
		bytes = sizeof(scratch->words);
	submit_without_haste(ctx, record, sizeof(*record) + bytes);
	return 0;
}

/* As many frames as one program takes; false when the walk has ended. */
static __always_inline bool walk_frames(struct scratch *scratch)
{
	for (int i = 0; i < FRAMES_AT_ONCE; i++) {
		scratch->end = step(scratch);
		if (scratch->end != GOES_ON)
			return false;
	}
	return true;
}

/* The registers of user space; false for a thread that has none. */
static __always_inline bool read_registers(struct tick_context *ctx, struct task_struct *task,
					   struct scratch *scratch)
{
	const void *saved;

	if (is_user_mode(ctx)) {
		scratch->record.flags |= SAMPLE_USER_MODE;
#pragma unroll
		for (int i = 0; i < REGISTER_WORDS; i++)
			scratch->registers[i] = ctx->registers[i];
		return true;
	}
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

static __always_inline void begin_walk(struct scratch *scratch)
{
	struct walk *walk = &scratch->walk;

	walk->pc = scratch->registers[WORD_PC];
	walk->sp = scratch->registers[WORD_SP];
	walk->fp = scratch->registers[WORD_FP];
#if defined(__TARGET_ARCH_arm64)
	walk->lr = scratch->registers[WORD_LR];
#endif
	walk->context = 0;
	walk->is_interrupted = true;
	walk->frames = 0;
	walk->mapping_count = 0;
}

/* False for a process, or a program of it, that user space has not described. */
static __always_inline bool know_process(struct scratch *scratch)
{
	struct profiled_process *known =
		bpf_map_lookup_elem(&processes, &scratch->record.process.pid);

	if (!known || known->start_boottime_ns != scratch->record.process.start_boottime_ns ||
	    known->exec_id != scratch->record.exec_id)
		return false;
	scratch->walk.first_mapping = known->first_mapping;
	scratch->walk.mapping_count = known->mapping_count;
	return true;
}

/* Makes ready for the first step: why there is none, or UNWIND_END_DEPTH, where it would end without one. */
static __always_inline __u32 begin(struct tick_context *ctx, struct task_struct *task,
				   struct scratch *scratch)
{
	bool has_registers = read_registers(ctx, task, scratch);

	begin_walk(scratch);
	if (!has_registers)
		return SAMPLE_END_NO_USER_STACK;
	if (is_foreign(scratch->registers))
		return SAMPLE_END_FOREIGN;
	return know_process(scratch) ? UNWIND_END_DEPTH : SAMPLE_END_UNKNOWN_PROCESS;
}

static __always_inline void read_kernel_stack(struct tick_context *ctx, struct scratch *scratch)
{
	long bytes = bpf_get_stack(ctx, scratch->words, MAX_KERNEL_FRAMES * sizeof(__u64), 0);

	if (bytes <= 0)
		return;
	scratch->record.kernel_frames = bytes / sizeof(__u64);
	if (scratch->record.kernel_frames >= MAX_KERNEL_FRAMES)
		scratch->record.flags |= SAMPLE_KERNEL_TRUNCATED;
}

static __always_inline void count_tick(bool is_user, bool is_idle)
{
	__u32 zero = 0;
	struct tick_counts *counts = bpf_map_lookup_elem(&ticks, &zero);

	if (!counts)
		return;
	if (is_idle)
		counts->idle++;
	else if (is_user)
		counts->user++;
	else
		counts->kernel++;
}

SEC("perf_event")
int sample(struct tick_context *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct scratch *scratch = own_scratch();
	struct cpu_sample_record *record;
	__u64 now = bpf_ktime_get_boot_ns();

	if (!scratch || !wanted(KIND_CPU_SAMPLE))
		return 0;
	COUNT(seen);
	record = &scratch->record;
	__builtin_memset(record, 0, sizeof(*record));
	record->weight_ns =
		scratch->last_tick_ns ? now - scratch->last_tick_ns : ctx->sample_period;
	scratch->last_tick_ns = now;
	record->thread = BPF_CORE_READ(task, pid);
	if (!record->thread) {
		count_tick(false, true);
		COUNT(filtered);
		return 0;
	}
	read_process(task, &record->process);
	if (!process_passes(task, &record->process)) {
		COUNT(filtered);
		return 0;
	}
	count_tick(is_user_mode(ctx), false);
	if (counted_by_group(KIND_CPU_SAMPLE, 0, &record->process))
		return 0;
	record->time_ns = now;
	record->kind = KIND_CPU_SAMPLE;
	record->cpu = bpf_get_smp_processor_id();
	record->exec_id = BPF_CORE_READ(task, self_exec_id);
	bpf_core_read(record->thread_comm, sizeof(record->thread_comm), &task->comm);
	if (!is_user_mode(ctx))
		read_kernel_stack(ctx, scratch);
	scratch->end = begin(ctx, task, scratch);
	if (scratch->end == UNWIND_END_DEPTH)
		bpf_tail_call(ctx, &walkers, 0);
	return finish(ctx, scratch);
}

SEC("perf_event")
int walk_on(struct tick_context *ctx)
{
	struct scratch *scratch = own_scratch();

	if (!scratch)
		return 0;
	if (walk_frames(scratch)) {
		bpf_tail_call(ctx, &walkers, 0);
		/* The kernel allows no more of them. */
		scratch->end = UNWIND_END_DEPTH;
	}
	return finish(ctx, scratch);
}
