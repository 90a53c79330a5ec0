/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long threads that could run wait for a CPU, as log2 histograms kept in the kernel.
 *
 * A wait begins when a thread is woken, is new, or is taken off its CPU while it could go on; it ends
 * when the thread is switched to. The scheduler calls these hooks with a run queue locked: a lock or a
 * search here would hold up all of the machine. So where a wait begins is noted in an array, by the
 * thread's number, in one word.
 */
#include "event.h"
#include "governed.h"
#include "histogram.h"

EXPORT(enum, run_queue_operation);

/* include/linux/threads.h: PID_MAX_LIMIT. */
#define PID_BITS  22
#define SLOT_BITS 16
#define SLOTS     (1 << SLOT_BITS)

/*
 * What is left of a number beyond its slot. It stands below the time, of which 58 bits are nine years.
 * 0: nobody waits there. Two threads of one slot seldom wait at once; the wait that was noted first is
 * lost then, and counted as such.
 */
#define REST_BITS (PID_BITS - SLOT_BITS)
#define REST_MASK ((1 << REST_BITS) - 1)

/* Bytes: 8 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} waits SEC(".maps");

static __always_inline __u64 *slot_of(__u32 thread)
{
	__u32 slot = thread & (SLOTS - 1);

	return bpf_map_lookup_elem(&waits, &slot);
}

static __always_inline bool is_of(__u64 wait, __u32 thread)
{
	return wait && (wait & REST_MASK) == thread >> SLOT_BITS;
}

static __always_inline void note(__u64 *slot, __u32 thread, __u64 now)
{
	if (*slot && !is_of(*slot, thread)) {
		COUNT(seen);
		COUNT(lost);
	}
	*slot = now << REST_BITS | thread >> SLOT_BITS;
}

/* A thread that waits already may be woken again. */
static __always_inline int woken(__u32 thread)
{
	__u64 *slot;

	if (!listens())
		return 0;
	slot = slot_of(thread);
	if (slot && !is_of(*slot, thread))
		note(slot, thread, bpf_ktime_get_ns());
	return 0;
}

/* One that was woken while it ran waits no more when it goes to sleep. */
static __always_inline void left(__u32 thread, bool could_go_on, __u64 now)
{
	__u64 *slot = slot_of(thread);

	if (!slot)
		return;
	if (could_go_on)
		note(slot, thread, now);
	else if (is_of(*slot, thread))
		*slot = 0;
}

static __always_inline void came(struct task_struct *task, __u32 thread, __u64 now)
{
	struct group_key key = { .code = OPERATION_WAIT };
	__u64 *slot = slot_of(thread), start, elapsed;
	__u32 times;

	if (!slot || !is_of(*slot, thread))
		return;
	start = *slot >> REST_BITS;
	elapsed = now - start;
	/* Noted by another CPU, whose clock may be a little ahead. */
	if ((__s64)elapsed < 0)
		elapsed = 0;
	*slot = 0;
	if (began_unwatched(start))
		return;
	COUNT(seen);
	times = stands_for();
	if (!times)
		return;
	if (config.group_by || filters_owners() || config.selects_cgroups) {
		struct process process;

		read_process(task, &process);
		if (!process_passes(task, &process)) {
			COUNT(filtered);
			return;
		}
		group_by_process(&key, &process);
	}
	count_value_times(&key, elapsed, times);
}

/* The idle threads are number 0, and wait for nothing. */
static __always_inline int switched(__u32 previous, bool could_go_on, struct task_struct *task,
				    __u32 thread)
{
	__u64 now;

	if (!listens())
		return 0;
	now = bpf_ktime_get_ns();
	if (previous)
		left(previous, could_go_on, now);
	if (thread)
		came(task, thread, now);
	return 0;
}

/* sched_switch(is_preempted, previous, next): what else it has behind depends on the kernel. */
#define HOOKS(section, way, read)                                                         \
	SEC(section "/sched_wakeup")                                                      \
	int wakeup_##way(__u64 *ctx)                                                      \
	{                                                                                 \
		return woken(read((struct task_struct *)ctx[0], pid));                    \
	}                                                                                 \
	SEC(section "/sched_wakeup_new")                                                  \
	int wakeup_new_##way(__u64 *ctx)                                                  \
	{                                                                                 \
		return woken(read((struct task_struct *)ctx[0], pid));                    \
	}                                                                                 \
	SEC(section "/sched_switch")                                                      \
	int switch_##way(__u64 *ctx)                                                      \
	{                                                                                 \
		struct task_struct *previous = (void *)ctx[1], *next = (void *)ctx[2];    \
		bool could_go_on = (bool)ctx[0] || TASK_STATE(read, previous) == 0;       \
                                                                                          \
		return switched(read(previous, pid), could_go_on, next, read(next, pid)); \
	}

HOOKS("tp_btf", btf, READ_TYPED)
HOOKS("raw_tp", raw, READ_COPIED)
