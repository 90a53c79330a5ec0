/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which paths pass, as user space decided it: by how a path begins, since that is what a trie finds at
 * once. Whoever asks for more (an ending, a pattern) asks for a beginning here and for the rest itself.
 */
#ifndef CHANDRA_PATH_SELECTION_H
#define CHANDRA_PATH_SELECTION_H

#include "probe.h"

/* How a file is used, as bits. */
enum path_access {
	PATH_ACCESS_READ = 1 << 0,
	PATH_ACCESS_WRITE = 1 << 1, /* or made, or cut */
	PATH_ACCESS_NONE = 1 << 2,  /* named only: O_PATH */
	/* Of the prefix of no bytes: what failed passes, whatever its path; that was never resolved. */
	PATH_ACCESS_FAILED = 1 << 3,
};
EXPORT(enum, path_access);

/* A beginning of paths; no more than this is compared. */
#define PREFIX_BYTES 128
struct path_prefix {
	__u32 bits; /* of `bytes` that count */
	__u8 bytes[PREFIX_BYTES];
};
EXPORT(struct, path_prefix);

/*
 * The longest of these that a path begins with says for which accesses it passes; the one of no bytes
 * stands for all paths. Written by user space alone. Bytes: about 200 an entry.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct path_prefix);
	__type(value, __u32);
} path_prefixes SEC(".maps");

/* `path` has PREFIX_BYTES that can be read, whatever stands behind its end. */
static __always_inline bool path_passes(const void *path, __u32 accesses, bool has_failed)
{
	struct path_prefix key = { .bits = PREFIX_BYTES * 8 };
	__u32 *wanted;

	if (!config.selects_paths)
		return true;
	if (has_failed) {
		key.bits = 0;
		wanted = bpf_map_lookup_elem(&path_prefixes, &key);
		if (wanted && *wanted & PATH_ACCESS_FAILED)
			return true;
		key.bits = PREFIX_BYTES * 8;
	}
	bpf_probe_read_kernel(key.bytes, sizeof(key.bytes), path);
	wanted = bpf_map_lookup_elem(&path_prefixes, &key);
	return wanted && (*wanted & accesses);
}

#endif
