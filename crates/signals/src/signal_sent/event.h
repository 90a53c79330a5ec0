/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the signal_sent signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_SIGNAL_SENT_EVENT_H
#define CHANDRA_SIGNAL_SENT_EVENT_H

#include "task.h"

enum signal_sent_kind {
	KIND_SIGNAL_SENT,
};

enum signal_sent_flag {
	SENT_BY_KERNEL = 1 << 0,  /* no process asked for it */
	SENT_BY_KNOWN = 1 << 1,   /* `process` is whose doing it is */
	SENT_TO_PROCESS = 1 << 2, /* any of its threads may take it */
	SENT_CODE = 1 << 3,       /* `code` is known */
};

struct signal_sent_record {
	__u64 time_ns;          /* CLOCK_BOOTTIME */
	struct process process; /* who sent it */
	__u64 target_start_boottime_ns;
	__u64 target_cgroup_id;
	__u32 target_cgroup_hierarchy;
	__u32 target_pid;
	__u32 target_thread;
	__u32 kind;
	__s32 code; /* si_code of sigaction(2) */
	__u8 target_comm[COMM_BYTES];
	__u8 signal;
	__u8 result;      /* include/trace/events/signal.h: TRACE_SIGNAL_* */
	__u8 flags;       /* enum signal_sent_flag */
	__u8 one_in_log2; /* of so many signals it is one that is told, for all of them */
};

#endif
