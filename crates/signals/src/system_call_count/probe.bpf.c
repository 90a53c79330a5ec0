/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every system call: how often each is made, how long it takes, and with which errors it fails. Counted in
 * the kernel.
 *
 * All calls of the machine come by here, so what is counted by call alone lies in an array of each CPU, and
 * nothing is searched for unless a call fails. When a call began is noted in an array, by the thread's
 * number, in one word with which call it is.
 */
#define HISTOGRAM_CODES 512
#include "compat.h"
#include "current.h"
#include "event.h"
#include "histogram.h"

EXPORT(enum, system_call_count_code);

/* include/linux/threads.h: PID_MAX_LIMIT. */
#define PID_BITS  22
#define SLOT_BITS 16
#define SLOTS     (1 << SLOT_BITS)
/* include/linux/err.h */
#define MAX_ERRNO 4095

/*
 * What is left of a thread's number beyond its slot stands lowest, then the call, then the time, of which 49
 * bits are six days. 0: no call there. Of two threads of one slot that are in a call at once the one that
 * began first is lost, and counted as such.
 */
#define REST_BITS  (PID_BITS - SLOT_BITS)
#define REST_MASK  ((1ULL << REST_BITS) - 1)
#define TIME_SHIFT (REST_BITS + CALL_BITS)

/* Bytes: 8 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} calls SEC(".maps");

static __always_inline __u64 *slot_of(__u32 thread)
{
	__u32 slot = thread & (SLOTS - 1);

	return bpf_map_lookup_elem(&calls, &slot);
}

static __always_inline bool is_of(__u64 call, __u32 thread)
{
	return call && (call & REST_MASK) == thread >> SLOT_BITS;
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
	__u32 thread = bpf_get_current_pid_tgid();
	__u64 *slot;

	if (!listens() || !returns(number))
		return 0;
	slot = slot_of(thread);
	if (!slot)
		return 0;
	if (*slot && !is_of(*slot, thread)) {
		COUNT(seen);
		COUNT(lost);
	}
	if (number > CALL_OTHER || is_compat((void *)bpf_get_current_task()))
		number = CALL_OTHER;
	*slot = bpf_ktime_get_ns() << TIME_SHIFT | number << REST_BITS | thread >> SLOT_BITS;
	return 0;
}

/* Beside the call itself, which is in the ledger. */
static __always_inline void count_error(struct group_key *key, __u16 error)
{
	__u64 nothing = 0, *errors;

	key->number = error;
	errors = bpf_map_lookup_elem(&groups, key);
	if (!errors) {
		bpf_map_update_elem(&groups, key, &nothing, BPF_NOEXIST);
		errors = bpf_map_lookup_elem(&groups, key);
	}
	if (errors)
		__sync_fetch_and_add(errors, 1);
}

static __always_inline int left(long result)
{
	__u32 thread = bpf_get_current_pid_tgid();
	__u64 *slot = slot_of(thread), call;
	struct group_key key = {};

	/* One that began before anybody listened, or the end of fork(2) in the child. */
	if (!slot || !is_of(*slot, thread))
		return 0;
	call = *slot;
	*slot = 0;
	if (config.group_by & GROUP_CODE)
		key.code = call >> REST_BITS & CALL_OTHER;
	COUNT(seen);
	if (!current_passes(&key)) {
		COUNT(filtered);
		return 0;
	}
	/* The difference is right also where the time has begun anew. */
	count_value(&key, ((bpf_ktime_get_ns() << TIME_SHIFT) - (call & ~0ULL << TIME_SHIFT)) >>
				  TIME_SHIFT);
	if (result < 0 && result >= -MAX_ERRNO)
		count_error(&key, -result);
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
