/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the governor decides of a signal while it runs: that of so many facts one is told or counted, for all
 * of them, or none, and they are only counted in the ledger (loader/src/governed.rs writes it).
 *
 * Each fact is drawn for itself, by the kernel's pseudo-random numbers, so that whatever is summed over those
 * that are drawn, times how many each stands for, is on the average the sum over all, of whatever part of
 * them. How far it may be off: the relative standard deviation of a count of n is sqrt((one_in - 1) / n).
 *
 * Cost, where all are told: one load and one compare of a variable. An open that is counted took 2,152 ns with
 * it and 2,153 ns without (medians of 15 rounds of 40,000 in turn, Linux 6.18, a busy virtual machine with 2
 * processors). crates/signals/examples/governed_cost measures the other cases.
 */
#ifndef CHANDRA_GOVERNED_H
#define CHANDRA_GOVERNED_H

#include "probe.h"

struct governed {
	__u64 since_ns;   /* CLOCK_MONOTONIC; what began before was not watched all the time */
	__u32 one_in;     /* a power of two; 0: none is told, all are counted in the ledger */
	__u32 generation; /* how often hooks were attached anew */
};
EXPORT(struct, governed);

/* In a map of its own: user space writes all of a map at once. Bytes: a page. */
volatile struct governed governed SEC(".data.governed") = { .one_in = 1 };

/*
 * How many facts this one stands for. 0: it is in the ledger, and over and done with. For what was seen; what
 * is decided of before that is to be counted as seen then.
 */
static __always_inline __u32 stands_for(void)
{
	__u32 one_in = governed.one_in;

	if (one_in == 1)
		return 1;
	if (!one_in) {
		COUNT(aggregated);
		return 0;
	}
	if (bpf_get_prandom_u32() & (one_in - 1)) {
		COUNT(sampled_out);
		return 0;
	}
	return one_in;
}

/* Instead of a logarithm: nothing is told of this flow. */
#define LEFT_OUT 0xff

/*
 * What has a beginning and an end, such as a connection, is drawn once and keeps what was drawn: all of it is told with
 * the same weight, or nothing. So sums over totals and over ends are right, too, whatever is decided while it lasts.
 *
 * It is drawn by a number that is evenly distributed, and that who sees the same flow elsewhere (its other end, another
 * probe) has, too: they tell of the same flows.
 *
 * The logarithm to the base 2 of how many this one stands for, or LEFT_OUT.
 */
static __always_inline __u8 draw_flow(__u32 number)
{
	__u32 one_in = governed.one_in;

	if (one_in == 1)
		return 0;
	if (!one_in || number & (one_in - 1))
		return LEFT_OUT;
	return log2_bucket(one_in);
}

/* What would be told, of a flow that is left out. */
static __always_inline void leave_out(__u32 kind)
{
	if (!wanted(kind))
		return;
	COUNT(seen);
	COUNT(sampled_out);
}

/* Spreads numbers that differ in any bit evenly over all (the finaliser of MurmurHash3, public domain). */
static __always_inline __u64 spread(__u64 number)
{
	number ^= number >> 33;
	number *= 0xff51afd7ed558ccdULL;
	number ^= number >> 33;
	number *= 0xc4ceb9fe1a85ec53ULL;
	return number ^ number >> 33;
}

/* It began when the hooks that would have told of its end were not there. */
static __always_inline bool began_unwatched(__u64 start_ns)
{
	return start_ns < governed.since_ns;
}

#endif
