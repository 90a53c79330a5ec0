/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs with one fault each, for what the kernel and libbpf say about it. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Nothing changes from turn to turn. */
SEC("raw_tp/sys_enter")
int endless(void *context)
{
	long same = bpf_get_prandom_u32();

	(void)context;
	asm volatile("1: if %0 != 0 goto 1b" : : "r"(same));
	return 0;
}

SEC("raw_tp/sys_enter")
int unreachable(void *context)
{
	(void)context;
	asm volatile("goto +1; r1 = 1" ::: "r1");
	return 0;
}

SEC("kprobe/chandra_has_no_such_function")
int without_function(void *context)
{
	(void)context;
	return 0;
}

/* Fit for a tracepoint, and for no clock. */
SEC("tp/sched/sched_switch")
int misplaced(void *context)
{
	(void)context;
	return 0;
}
