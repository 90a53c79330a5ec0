/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What records with stacks have in common, and what user space tells the probes that make them. */
#ifndef CHANDRA_SAMPLE_TYPES_H
#define CHANDRA_SAMPLE_TYPES_H

#include "kernel.h"

enum sample_flag {
	SAMPLE_USER_MODE = 1 << 0,        /* the program itself ran, not the kernel for it */
	SAMPLE_KERNEL_TRUNCATED = 1 << 1, /* the kernel's stack is deeper */
	SAMPLE_KERNEL_THREAD = 1 << 2,    /* nothing of it is in user space */
};

/* Why the user's stack ends where it does: enum unwind_end, and beyond it */
enum sample_end {
	SAMPLE_END_NO_USER_STACK = 32,   /* a thread of the kernel */
	SAMPLE_END_UNKNOWN_PROCESS = 33, /* its mappings are not known here (yet) */
	SAMPLE_END_FOREIGN = 34,         /* a program of 32 bits */
	SAMPLE_END_NOT_REACHED = 35, /* the thread could not be looked at while it had its memory */
};

/* Executable memory of a process. Those of one process stand together, by their start. */
struct profile_mapping {
	__u64 start;
	__u64 end;
	__u64 offset;        /* in its file */
	__u32 executable;    /* its number; 0 for none (code that was made at run time) */
	__u32 table_version; /* of its tables, counted from 1, below 65536; 0: it has none */
};

/* The mappings of a process, for as long as it is this one and runs this program. */
struct profiled_process {
	__u64 start_boottime_ns;
	__u64 exec_id;
	__u32 first_mapping;
	__u32 mapping_count;
};

#endif
