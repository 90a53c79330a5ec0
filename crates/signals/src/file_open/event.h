/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the file_open signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_FILE_OPEN_EVENT_H
#define CHANDRA_FILE_OPEN_EVENT_H

#include "task.h"

enum file_open_kind {
	KIND_FILE_OPEN,
};

enum file_open_flag {
	OPEN_RESOLVED = 1 << 0, /* `path` is where the kernel arrived; else what was asked for */
	OPEN_PATH_TRUNCATED = 1 << 1, /* its beginning is missing */
	OPEN_CREATED = 1 << 2,        /* this call made the file */
	OPEN_HAS_DESCRIPTOR = 1 << 3, /* `descriptor` is known */
};

/* The path, then the name as it was given, follow the struct without gaps or terminators. */
struct file_open_record {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	struct process process;
	__u64 inode;
	__u32 kind;
	__u32 flags;      /* enum file_open_flag */
	__u32 open_flags; /* O_*, as the caller gave them */
	__u32 mode;       /* of a file that is made, as the caller gave it */
	__u32 error;      /* errno; 0 when it was opened */
	__u32 descriptor;
	__u32 device;
	__u32 file_mode; /* type and permissions of what was opened */
	__u16 path_length;
	__u16 name_length;
	__u8 one_in_log2; /* of so many opens it is one that is told, for all of them */
	__u8 padding[3];
};

#endif
