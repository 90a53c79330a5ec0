/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The same facts, a thread's system calls, counted in the kernel, or told one by one. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>

/* Records wake their reader when so much of them is pending, as those of signals do. */
#define WAKE_BYTES (64 << 10)

struct call {
	__u32 thread;
	__u32 number;
};

/* As much as a small record of a signal. */
struct told {
	struct call call;
	__u64 time_ns;
	__u64 others[6];
};

const volatile __u32 watched_thread = 0;

/* Bytes: 16 x max_entries x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct call);
	__type(value, __u64);
} counts SEC(".maps");

/* Bytes: max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} records SEC(".maps");

/* Records for which there was no room. Bytes: 8. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} lost SEC(".maps");

/* sys_enter(registers, number) */
static __always_inline bool is_wanted(__u64 *ctx, struct call *call)
{
	call->thread = bpf_get_current_pid_tgid();
	call->number = ctx[1];
	return call->thread == watched_thread;
}

SEC("raw_tp/sys_enter")
int counted(__u64 *ctx)
{
	struct call call;
	__u64 one = 1, *count;

	if (!is_wanted(ctx, &call))
		return 0;
	count = bpf_map_lookup_elem(&counts, &call);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&counts, &call, &one, BPF_ANY);
	return 0;
}

SEC("raw_tp/sys_enter")
int told(__u64 *ctx)
{
	struct told record = {};
	__u64 flags = BPF_RB_NO_WAKEUP, *count;
	__u32 zero = 0;

	if (!is_wanted(ctx, &record.call))
		return 0;
	record.time_ns = bpf_ktime_get_boot_ns();
	if (bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) >= WAKE_BYTES)
		flags = BPF_RB_FORCE_WAKEUP;
	if (!bpf_ringbuf_output(&records, &record, sizeof(record), flags))
		return 0;
	count = bpf_map_lookup_elem(&lost, &zero);
	if (count)
		__sync_fetch_and_add(count, 1);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
