/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Three programs that jump to each other through a table, each noting that it ran. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>

/* Bytes: 8 x 3. */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, 4);
	__uint(value_size, 4);
} steps SEC(".maps");

/* Bytes: 8. Which programs ran, as the digits of a number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} trail SEC(".maps");

static __always_inline void note(__u64 digit)
{
	__u32 zero = 0;
	__u64 *digits = bpf_map_lookup_elem(&trail, &zero);

	if (digits)
		*digits = *digits * 10 + digit;
}

SEC("raw_tp/sys_enter")
int first(void *ctx)
{
	note(1);
	bpf_tail_call(ctx, &steps, 1);
	note(9);
	return 0;
}

SEC("raw_tp/sys_enter")
int second(void *ctx)
{
	note(2);
	bpf_tail_call(ctx, &steps, 2);
	note(9);
	return 0;
}

SEC("raw_tp/sys_enter")
int third(void)
{
	note(3);
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int of_another_type(void)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
