/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the cgroup signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_CGROUP_EVENT_H
#define CHANDRA_CGROUP_EVENT_H

#include "task.h"

enum cgroup_kind {
	KIND_CGROUP_MKDIR,
	KIND_CGROUP_RMDIR,
	KIND_CGROUP_RENAME,
	KIND_CGROUP_RELEASE,
	KIND_CGROUP_RUNNING, /* found by user space, never sent */
};

/* The kernel spells a path into a buffer of this size, its end included (TRACE_CGROUP_PATH_LEN). */
#define CGROUP_PATH_BYTES 1024

/* The path follows the struct, without a terminator. */
struct cgroup_record {
	__u64 time_ns;          /* CLOCK_BOOTTIME */
	struct process process; /* who did it; of a release nobody, and all zero */
	__u64 id;
	__u64 parent_id;
	__u32 kind;
	__u32 hierarchy;
	__u32 level;
	__u32 path_length;
};

#endif
