/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the oom_kill signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_OOM_KILL_EVENT_H
#define CHANDRA_OOM_KILL_EVENT_H

#include "task.h"

enum oom_kill_kind {
	KIND_OOM_KILL,
};

enum oom_kill_flag {
	OOM_VICTIM = 1 << 0,       /* more than its number is known of the victim */
	OOM_RESIDENT = 1 << 1,     /* the kernel keeps its resident pages where they can be read */
	OOM_MEMORY_LIMIT = 1 << 2, /* it is in a cgroup whose memory is limited */
};

struct oom_kill_record {
	__u64 time_ns;          /* CLOCK_BOOTTIME */
	struct process process; /* the victim */
	__u64 total_pages;      /* of its address space */
	__u64 anonymous_pages;  /* resident, by what they are */
	__u64 file_pages;
	__u64 shared_memory_pages;
	__u64 page_table_bytes;
	__u64 limit_cgroup_id; /* that with the least room below its limit, of those around the victim */
	__u64 limit_pages;
	__u64 limit_usage_pages;
	__u32 limit_cgroup_hierarchy;
	__u32 kind;
	__u32 flags;         /* enum oom_kill_flag */
	__u32 victim_thread; /* whose memory it is by the kernel's word: mostly the leader */
	__u32 allocator_pid; /* who asked for memory when there was none */
	__s32 oom_score_adjustment;
	__u8 allocator_comm[COMM_BYTES];
};

#endif
