/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of this signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_TEMPLATE_EVENT_H
#define CHANDRA_TEMPLATE_EVENT_H

#include "task.h"

/* Named after the signal's folder: enum <signal>_kind, KIND_<TYPE>. */
enum template_kind {
	KIND_RENAME,
};

struct rename_record {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	struct process process;
	__u32 thread;
	__u32 kind;
	__u8 new_comm[COMM_BYTES];
};

#endif
