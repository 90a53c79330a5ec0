/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One map of each kind that is read in batches. */
#include "kernel.h"
#include <bpf/bpf_helpers.h>

#define ENTRIES 65536

/* Bytes: 16 x 65536. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ENTRIES);
	__type(key, __u64);
	__type(value, __u64);
} hash SEC(".maps");

/* Bytes: 16 x 65536. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, ENTRIES);
	__type(key, __u64);
	__type(value, __u64);
} lru SEC(".maps");

/* Bytes: (12 + 16 x CPUs) x 4096. A value that is rounded up to 16 bytes in each slot. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__uint(key_size, 12);
	__uint(value_size, 12);
} per_cpu SEC(".maps");

/* Bytes: 8 x CPUs x 100. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 100);
	__uint(key_size, 4);
	__uint(value_size, 4);
} per_cpu_array SEC(".maps");

/* Bytes: 8 x 10000. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 10000);
	__type(key, __u32);
	__type(value, __u64);
} array SEC(".maps");

/* Bytes: 2 x 300: fewer key bytes than the kernel's cursor has. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 300);
	__uint(key_size, 1);
	__uint(value_size, 1);
} tiny SEC(".maps");

/* The kernel can batch its lookups but not its deletions. Bytes: about 100 x 64. */
struct {
	__uint(type, 11 /* BPF_MAP_TYPE_LPM_TRIE */);
	__uint(max_entries, 100);
	__uint(key_size, 8);
	__uint(value_size, 4);
	__uint(map_flags, 1 /* BPF_F_NO_PREALLOC */);
} trie SEC(".maps");

/* Bytes: 4 x 10. Has no keys. */
struct {
	__uint(type, 22 /* BPF_MAP_TYPE_QUEUE */);
	__uint(max_entries, 10);
	__uint(value_size, 4);
} queue SEC(".maps");

char LICENSE[] SEC("license") = "Dual BSD/GPL";
