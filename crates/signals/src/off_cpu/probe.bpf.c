/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where threads wait: from leaving a CPU to coming to one again, with the stacks that they wait in.
 *
 * How long a wait was is known when it is over, and most are too short to be told. So stacks are taken at the end,
 * of those only that are told: a thread that comes back is still where it left. At that moment the scheduler runs
 * in the memory of the thread that goes. The kernel's stack of the one that comes can be walked there, its user's
 * cannot: that needs its memory. The hook that follows is an interrupt: the probe asks for one (a byte into a
 * buffer of perf's that nobody reads, `doorbells`), and it comes on this CPU as soon as the switch is over and
 * interrupts are let in again, which is before the thread does anything else. There, with the thread's own
 * memory and no lock held, its user's stack is walked as that of any sample.
 *
 * The scheduler calls these hooks with a run queue locked. What they do for each switch is to look up two
 * entries of a table and to write one; a thread's entry is made once and stays until the thread is dead.
 *
 * Invariants: a wait that ended is `seen` once, and told, filtered (too short is that, too) or lost, with its
 * time. One whose interrupt does not come is told all the same, with the reason.
 */
#include "event.h"

#define SAMPLE_RECORD off_cpu_record
#include "sample.h"

EXPORT(enum, off_cpu_kind);
EXPORT(enum, sample_flag);
EXPORT(enum, wait_reason);
EXPORT(struct, off_cpu_record);
EXPORT(struct, absence);
EXPORT(struct, wait_counts);

/* include/linux/sched.h, which has these numbers in all kernels from 5.10 on. */
#define TASK_INTERRUPTIBLE   0x1
#define TASK_UNINTERRUPTIBLE 0x2
#define TASK_STOPPED         0x4
#define TASK_TRACED          0x8
#define TASK_PARKED          0x40
#define TASK_DEAD            0x80
#define TASK_NOLOAD          0x400

/* By thread. Preallocated: nothing can be allocated under a run queue's lock. Bytes: about 80 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct absence);
} absences SEC(".maps");

/* Bytes: 56 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wait_counts);
} waits SEC(".maps");

/* By CPU, an event of perf's whose buffer interrupts the CPU that writes to it. The loader puts them there. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} doorbells SEC(".maps");

#define COUNT_WAIT(field, by)                                                          \
	({                                                                             \
		__u32 first_wait = 0;                                                  \
		struct wait_counts *counts = bpf_map_lookup_elem(&waits, &first_wait); \
		if (counts)                                                            \
			__sync_fetch_and_add(&counts->field, by);                      \
	})

static __always_inline __u32 reason_of(__u64 state)
{
	if (state & TASK_PARKED || (state & TASK_NOLOAD && state & TASK_UNINTERRUPTIBLE))
		return REASON_IDLE;
	if (state & TASK_INTERRUPTIBLE)
		return REASON_INTERRUPTIBLE;
	if (state & TASK_UNINTERRUPTIBLE)
		return REASON_UNINTERRUPTIBLE;
	if (state & (TASK_STOPPED | TASK_TRACED))
		return REASON_STOPPED;
	return REASON_OTHER;
}

/*
 * A thread that leaves without having come, or comes without having left: of the switch between, the kernel told
 * nothing. How long the wait was is not known.
 */
static __always_inline void lose_untold(struct scratch *scratch, struct task_struct *task)
{
	struct process *process = &scratch->record.process;

	COUNT(seen);
	read_process(task, process);
	if (!process_passes(task, process)) {
		COUNT(filtered);
		return;
	}
	COUNT(lost);
	COUNT_WAIT(untold, 1);
}

static __always_inline void left(struct scratch *scratch, struct task_struct *task, __u32 thread,
				 bool is_preempted, __u64 now)
{
	struct absence *absence = bpf_map_lookup_elem(&absences, &thread), first = {};
	__u64 state = TASK_STATE(READ_COPIED, task);
	bool could_go_on = is_preempted || !state;

	if (!could_go_on && state & TASK_DEAD) {
		if (absence) {
			absence->left_ns = 0;
			bpf_map_delete_elem(&absences, &thread);
		}
		return;
	}
	if (!absence) {
		bpf_map_update_elem(&absences, &thread, &first, BPF_NOEXIST);
		absence = bpf_map_lookup_elem(&absences, &thread);
	}
	if (!absence) {
		COUNT(seen);
		COUNT(lost);
		COUNT_WAIT(unnoted, 1);
		return;
	}
	if (absence->left_ns)
		lose_untold(scratch, task);
	absence->reason = could_go_on ? REASON_PREEMPTED : reason_of(state);
	absence->is_io_wait = BPF_CORE_READ_BITFIELD_PROBED(task, in_iowait);
	absence->woken_ns = 0;
	absence->left_ns = now;
}

static __always_inline int finish_wait(void *ctx, struct scratch *scratch)
{
	scratch->is_pending = false;
	return finish(ctx, scratch);
}

/* Without a user's stack. */
static __always_inline int finish_unwalked(void *ctx, struct scratch *scratch, __u32 end)
{
	scratch->walk.frames = 0;
	scratch->end = end;
	if (end == SAMPLE_END_NOT_REACHED)
		COUNT_WAIT(not_reached, 1);
	return finish_wait(ctx, scratch);
}

static __always_inline void tell(void *ctx, struct scratch *scratch, struct task_struct *task,
				 const struct absence *absence, __u64 now)
{
	struct off_cpu_record *record = &scratch->record;
	__u64 waited_ns = now - absence->left_ns, woken_ns = absence->woken_ns;
	__u64 byte = 0;

	__builtin_memset(record, 0, sizeof(*record));
	read_process(task, &record->process);
	if (!process_passes(task, &record->process)) {
		COUNT(filtered);
		COUNT_WAIT(filtered_ns, waited_ns);
		return;
	}
	COUNT_WAIT(told_ns, waited_ns);
	if (counted_by_group(KIND_OFF_CPU, 0, &record->process))
		return;
	record->time_ns = bpf_ktime_get_boot_ns();
	record->kind = KIND_OFF_CPU;
	record->cpu = bpf_get_smp_processor_id();
	record->thread = BPF_CORE_READ(task, pid);
	record->exec_id = BPF_CORE_READ(task, self_exec_id);
	bpf_core_read(record->thread_comm, sizeof(record->thread_comm), &task->comm);
	record->reason = absence->reason;
	record->is_io_wait = absence->is_io_wait;
	record->waited_ns = waited_ns;
	if (absence->reason == REASON_PREEMPTED)
		record->runnable_ns = waited_ns;
	else if (woken_ns > absence->left_ns && woken_ns < now)
		record->runnable_ns = now - woken_ns;
	took_kernel_stack(scratch, bpf_get_task_stack(task, scratch->words,
						      MAX_KERNEL_FRAMES * sizeof(__u64), 0));
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD) {
		record->flags |= SAMPLE_KERNEL_THREAD;
		finish_unwalked(ctx, scratch, SAMPLE_END_NO_USER_STACK);
		return;
	}
	scratch->is_pending = true;
	if (bpf_perf_event_output(ctx, &doorbells, BPF_F_CURRENT_CPU, &byte, sizeof(byte)))
		finish_unwalked(ctx, scratch, SAMPLE_END_NOT_REACHED);
}

static __always_inline void came(void *ctx, struct scratch *scratch, struct task_struct *task,
				 __u32 thread, __u64 now)
{
	struct absence *noted = bpf_map_lookup_elem(&absences, &thread), absence;

	if (!noted)
		return;
	if (!noted->left_ns) {
		lose_untold(scratch, task);
		return;
	}
	absence = *noted;
	noted->left_ns = 0;
	/* Noted by another CPU, whose clock may be a little ahead. */
	if (now < absence.left_ns)
		now = absence.left_ns;
	COUNT(seen);
	if (now - absence.left_ns < config.min_duration_ns) {
		COUNT(filtered);
		COUNT_WAIT(short_waits, 1);
		COUNT_WAIT(short_ns, now - absence.left_ns);
		return;
	}
	tell(ctx, scratch, task, &absence, now);
}

SEC("tp_btf/sched_wakeup")
int woken(__u64 *ctx)
{
	__u32 thread = ((struct task_struct *)ctx[0])->pid;
	struct absence *absence;

	if (!listens())
		return 0;
	absence = bpf_map_lookup_elem(&absences, &thread);
	if (absence && absence->left_ns && !absence->woken_ns)
		absence->woken_ns = bpf_ktime_get_ns();
	return 0;
}

/* sched_switch(is_preempted, previous, next): what else it has behind depends on the kernel. */
SEC("tp_btf/sched_switch")
int switched(__u64 *ctx)
{
	struct task_struct *previous = (void *)ctx[1], *next = (void *)ctx[2];
	struct scratch *scratch = own_scratch();
	__u32 leaves = previous->pid, comes = next->pid;
	__u64 now;

	if (!scratch || !wanted(KIND_OFF_CPU))
		return 0;
	if (scratch->is_pending)
		finish_unwalked(ctx, scratch, SAMPLE_END_NOT_REACHED);
	now = bpf_ktime_get_ns();
	/* The idle threads are number 0, and wait for nothing. */
	if (leaves)
		left(scratch, previous, leaves, ctx[0] & 1, now);
	if (comes)
		came(ctx, scratch, next, comes, now);
	return 0;
}

/* In the memory of the thread that came, before it goes on; the kernel has other reasons for such interrupts, too. */
static __always_inline int interrupt(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct scratch *scratch = own_scratch();

	if (!scratch || !scratch->is_pending ||
	    (__u32)BPF_CORE_READ(task, pid) != scratch->record.thread)
		return 0;
	scratch->is_pending = false;
	return walk_stacks(ctx, scratch, task, read_saved_registers(task, scratch));
}

/* x86: arch/x86/kernel/irq_work.c. */
SEC("raw_tp/irq_work_entry")
int interrupted(void *ctx)
{
	return interrupt(ctx);
}

/* arm64: arch/arm64/kernel/smp.c, of whatever a CPU asks another for, or itself. */
SEC("raw_tp/ipi_entry")
int interrupted_by_ipi(void *ctx)
{
	return interrupt(ctx);
}

SEC("raw_tp/irq_work_entry")
int walk_on(void *ctx)
{
	return walk_part(ctx);
}

SEC("raw_tp/irq_work_entry")
int walk_python(void *ctx)
{
	return python_part(ctx);
}
