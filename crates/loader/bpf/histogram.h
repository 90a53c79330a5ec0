/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Log2 histograms that the kernel keeps: nothing crosses per value.
 *
 * What is grouped by nothing else lies in an array by the key's code, which costs a few nanoseconds; what
 * is grouped lies in a table by the whole key.
 */
#ifndef CHANDRA_HISTOGRAM_H
#define CHANDRA_HISTOGRAM_H

#include "probe.h"

/* A signal may have more of them. */
#ifndef HISTOGRAM_CODES
#define HISTOGRAM_CODES 8
#endif

/* By the key's code, where nothing else is grouped by. Bytes: max_entries x 528 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HISTOGRAM_CODES);
	__type(key, __u32);
	__type(value, struct histogram);
} ungrouped SEC(".maps");

/*
 * One that has many groups, of few values each, has a table that all processors share (BPF_MAP_TYPE_HASH),
 * which takes as much whatever their number.
 */
#ifndef HISTOGRAM_TABLE
#define HISTOGRAM_TABLE  BPF_MAP_TYPE_PERCPU_HASH
#define HISTOGRAM_GROUPS 1024
#endif

/* By the key. Bytes: max_entries x (104 + 528 x CPUs); the loader makes it 1 entry when unused. */
struct {
	__uint(type, HISTOGRAM_TABLE);
	__uint(max_entries, HISTOGRAM_GROUPS);
	__type(key, struct group_key);
	__type(value, struct histogram);
} histograms SEC(".maps");

/* A new histogram must not lie on the stack: it is larger than the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct histogram);
} empty SEC(".maps");

/* This CPU's histogram of a key; NULL where there is no room for one. */
static __always_inline struct histogram *histogram_of(const struct group_key *key)
{
	struct histogram *histogram;
	__u32 zero = 0;
	void *nothing;

	if (!(config.group_by & ~(GROUP_CODE | GROUP_ERROR)))
		return bpf_map_lookup_elem(&ungrouped, &key->code);
	histogram = bpf_map_lookup_elem(&histograms, key);
	if (histogram)
		return histogram;
	nothing = bpf_map_lookup_elem(&empty, &zero);
	if (!nothing)
		return NULL;
	bpf_map_update_elem(&histograms, key, nothing, BPF_NOEXIST);
	return bpf_map_lookup_elem(&histograms, key);
}

/* Counts a value that was seen, and stands for so many: it is aggregated then, or lost. */
static __always_inline void count_value_times(const struct group_key *key, __u64 value, __u32 times)
{
	struct histogram *histogram = histogram_of(key);

	if (!histogram) {
		COUNT(lost);
		return;
	}
	__sync_fetch_and_add(&histogram->buckets[log2_bucket(value) & (HISTOGRAM_BUCKETS - 1)],
			     times);
	__sync_fetch_and_add(&histogram->sum, value * times);
	__sync_fetch_and_add(&histogram->count, times);
	COUNT(aggregated);
}

static __always_inline void count_value(const struct group_key *key, __u64 value)
{
	count_value_times(key, value, 1);
}

#endif
