/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every system call: how often each is made, how long it takes, and with which errors it fails. Counted in
 * the kernel.
 *
 * All calls of the machine come by here, so what is counted by call alone lies in an array of each CPU, and
 * nothing is searched for unless a call fails. Which call a thread is in, and since when, is noted in an
 * array, by the thread's number.
 */
#define HISTOGRAM_CODES 512
#include "compat.h"
#include "current.h"
#include "event.h"
#include "governed.h"
#include "histogram.h"

EXPORT(enum, system_call_count_code);

#define SLOTS (1 << 16)
/* include/linux/err.h */
#define MAX_ERRNO 4095

/*
 * The call that a thread is in. Of two threads of one slot that are in a call at once the one that began first is
 * lost, and counted as such.
 */
struct call {
	__u64 start_ns;
	__u32 thread; /* 0: no call there, or it is left out */
	__u16 number;
	__u8 one_in_log2; /* of so many it is one that is told, for all of them */
	__u8 padding;
};

/* Bytes: 16 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct call);
} calls SEC(".maps");

static __always_inline struct call *slot_of(__u32 thread)
{
	__u32 slot = thread & (SLOTS - 1);

	return bpf_map_lookup_elem(&calls, &slot);
}

/* asm/unistd.h: nobody waits for their end. */
#if defined(__TARGET_ARCH_x86)
#define NR_EXIT       60
#define NR_EXIT_GROUP 231
#else
#define NR_EXIT       93
#define NR_EXIT_GROUP 94
#endif

static __always_inline bool returns(__u64 number)
{
	return number != NR_EXIT && number != NR_EXIT_GROUP;
}

static __always_inline int entered(__u64 number)
{
	__u32 thread = bpf_get_current_pid_tgid(), times;
	struct call *call;

	if (!listens() || !returns(number))
		return 0;
	call = slot_of(thread);
	if (!call)
		return 0;
	times = stands_for();
	if (!times) {
		COUNT(seen);
		/* One whose end nobody saw. */
		if (call->thread == thread)
			call->thread = 0;
		return 0;
	}
	if (call->thread && call->thread != thread) {
		COUNT(seen);
		COUNT(lost);
	}
	if (number > CALL_OTHER || is_compat((void *)bpf_get_current_task()))
		number = CALL_OTHER;
	call->number = number;
	call->one_in_log2 = log2_bucket(times);
	call->start_ns = bpf_ktime_get_ns();
	call->thread = thread;
	return 0;
}

/* Beside the call itself, which is in the ledger. */
static __always_inline void count_error(struct group_key *key, __u16 error, __u32 times)
{
	__u64 nothing = 0, *errors;

	key->number = error;
	errors = bpf_map_lookup_elem(&groups, key);
	if (!errors) {
		bpf_map_update_elem(&groups, key, &nothing, BPF_NOEXIST);
		errors = bpf_map_lookup_elem(&groups, key);
	}
	if (errors)
		__sync_fetch_and_add(errors, times);
}

static __always_inline int left(long result)
{
	__u32 thread = bpf_get_current_pid_tgid(), times;
	struct call *call = slot_of(thread);
	struct group_key key = {};
	__u64 start;

	/* One that began before anybody listened, or the end of fork(2) in the child. */
	if (!call || call->thread != thread)
		return 0;
	start = call->start_ns;
	times = 1 << call->one_in_log2;
	if (config.group_by & GROUP_CODE)
		key.code = call->number;
	call->thread = 0;
	if (began_unwatched(start))
		return 0;
	COUNT(seen);
	if (!current_passes(&key)) {
		COUNT(filtered);
		return 0;
	}
	count_value_times(&key, bpf_ktime_get_ns() - start, times);
	if (result < 0 && result >= -MAX_ERRNO)
		count_error(&key, -result, times);
	return 0;
}

/* sys_enter(registers, number), sys_exit(registers, result) */
#define HOOKS(section, way)                \
	SEC(section "/sys_enter")          \
	int enter_##way(__u64 *ctx)        \
	{                                  \
		return entered(ctx[1]);    \
	}                                  \
	SEC(section "/sys_exit")           \
	int exit_##way(__u64 *ctx)         \
	{                                  \
		return left((long)ctx[1]); \
	}

HOOKS("tp_btf", btf)
HOOKS("raw_tp", raw)
