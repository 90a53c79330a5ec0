/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sends numbered records from the threads in config.pids, by what they call:
 * config.uids[0] submits as every probe does, [1] without a wake-up, [2] reserves room, takes its
 * time and then submits as it had decided before, [3] submits more than a ring of one page holds.
 */
#include "probe.h"

struct number {
	__u64 number; /* counted per CPU, also over those that were lost */
	__u32 cpu;
	__u32 thread;
	__u32 flags;
	__u32 filler[3];
};
EXPORT(struct, number);

/* Bytes: 8 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} next_number SEC(".maps");

/* Bytes: 32768; a perf buffer takes no more than 64 KiB a record, whatever its size. */
static __u8 too_much[1 << 15];

static long dawdle(__u32 index, void *nothing)
{
	(void)index;
	(void)nothing;
	return 0;
}

static __always_inline void submit_late(void)
{
	__u64 now = bpf_ktime_get_boot_ns(), flags = wake_flags(now);
	struct number *number = bpf_ringbuf_reserve(&events, sizeof(*number), 0);

	if (!number) {
		COUNT(lost);
		return;
	}
	__builtin_memset(number, 0, sizeof(*number));
	number->flags = 2;
	bpf_loop(1 << 23, dawdle, NULL, 0);
	bpf_loop(1 << 23, dawdle, NULL, 0);
	bpf_ringbuf_submit(number, flags);
	COUNT(submitted);
}

SEC("raw_tp/sys_enter")
int send_number(__u64 *ctx)
{
	__u32 zero = 0, thread = bpf_get_current_pid_tgid(), call = ctx[1];
	__u64 *next = bpf_map_lookup_elem(&next_number, &zero);
	struct number number = {};

	if (!config.pid_count || !pid_passes(thread) || !next)
		return 0;
	if (call != config.uids[0] && call != config.uids[1] && call != config.uids[2] &&
	    call != config.uids[3])
		return 0;
	COUNT(seen);
	if (call == config.uids[3]) {
		submit(ctx, too_much, sizeof(too_much), bpf_ktime_get_boot_ns());
		return 0;
	}
	if (call == config.uids[2]) {
		if (!config.use_perf_buffer)
			submit_late();
		return 0;
	}
	number.number = (*next)++;
	number.cpu = bpf_get_smp_processor_id();
	number.thread = thread;
	number.flags = config.group_by;
	if (call == config.uids[0] || config.use_perf_buffer)
		submit(ctx, &number, sizeof(number), bpf_ktime_get_boot_ns());
	else if (bpf_ringbuf_output(&events, &number, sizeof(number), BPF_RB_NO_WAKEUP))
		COUNT(lost);
	else
		COUNT(submitted);
	return 0;
}
