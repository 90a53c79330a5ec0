/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The records of the process signal, as they cross the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_PROCESS_EVENT_H
#define CHANDRA_PROCESS_EVENT_H

#include "task.h"

enum process_kind {
	KIND_EXEC,
	KIND_FORK,
	KIND_EXIT,
	KIND_PROCESS_RUNNING,
};

enum exec_flag {
	EXEC_MEMFD = 1 << 0,
	EXEC_DELETED = 1 << 1,
	EXEC_OVERLAY_UPPER = 1 << 2,
	EXEC_PATH_TRUNCATED = 1 << 3,
	EXEC_LOGIN_UID = 1 << 4, /* login_uid is known */
};

/* Arguments of up to both together are whole; of longer ones there are a head and a tail. */
#define ARGV_HEAD_BYTES   8192
#define ARGV_TAIL_BYTES   2048
#define ARGV_WHOLE_BYTES  (ARGV_HEAD_BYTES + ARGV_TAIL_BYTES)
#define INTERPRETER_BYTES 1024
#define TTY_BYTES         16

/* Every record begins with its time, its process and its kind. Strings follow the struct without gaps or terminators, in the order of their lengths. */
struct exec_record {
	__u64 time_ns; /* CLOCK_BOOTTIME, as all times here */
	struct process process;
	__u32 kind;
	__u32 flags; /* enum exec_flag */
	__u64 capabilities_effective;
	__u64 capabilities_permitted;
	__u64 exe_inode;
	__u64 argv_bytes;
	__u32 old_pid; /* the thread that called exec */
	__u32 login_uid;
	__u32 effective_uid;
	__u32 effective_gid;
	__u32 exe_device;
	__u32 session_id;
	__u32 pid_namespace;
	__u32 mnt_namespace;
	__u32 net_namespace;
	__u32 user_namespace;
	__u32 cgroup_namespace;
	__u16 exe_length;
	__u16 filename_length;
	__u16 interpreter_length;
	__u16 cwd_length;
	__u16 argv_tail_length;
	__u16 argv_head_length;
	__u8 tty[TTY_BYTES];
};

struct fork_record {
	__u64 time_ns;
	struct process process;
	__u32 kind;
	__u32 padding;
	struct process parent;
};

struct exit_record {
	__u64 time_ns;
	struct process process;
	__u32 kind;
	__u32 status; /* as wait(2) gives it: code << 8 | core << 7 | signal */
};

#endif
