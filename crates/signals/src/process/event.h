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
	EXEC_LOGIN_UID = 1 << 4,         /* login_uid is known */
	EXEC_READ_ONLY = 1 << 5,         /* the executable's mount or file system is */
	EXEC_CREDENTIALS_KNOWN = 1 << 6, /* those before the exec are */
	EXEC_CREDENTIAL_JUMP = 1 << 7,   /* and from them no lawful way leads to those after it */
	EXEC_ENVIRONMENT = 1 << 8,       /* the environment was asked for, and could be read */
};

/* Arguments of up to both together are whole; of longer ones there are a head and a tail. */
#define ARGV_HEAD_BYTES  8192
#define ARGV_TAIL_BYTES  2048
#define ARGV_WHOLE_BYTES (ARGV_HEAD_BYTES + ARGV_TAIL_BYTES)

/* The first bytes of the environment: as many as paths and arguments leave room for, between these. */
#define ENVIRONMENT_BYTES       16384
#define ENVIRONMENT_LEAST_BYTES 4096

#define INTERPRETER_BYTES 1024
#define TTY_BYTES         16

/* Whether a process has a socket open that listens for connections. */
enum listening {
	LISTENING_NOT_KNOWN,
	LISTENING_NO,
	LISTENING_YES,
};

/* Of the process itself, its parent, and its parent's parent. */
#define LISTENING_GENERATIONS 3

/* What a descriptor stands for. */
struct stream {
	__u32 mode;   /* type and permissions of the file; 0: none is open */
	__u32 device; /* that it is, where it is one: major << 20 | minor */
	__u32 family; /* AF_*, of a socket */
};

/* Every record begins with its time, its process and its kind. Strings follow the struct without gaps or terminators, in the order of their lengths. */
struct exec_record {
	__u64 time_ns; /* CLOCK_BOOTTIME, as all times here */
	struct process process;
	__u32 kind;
	__u32 flags; /* enum exec_flag */
	__u64 capabilities_effective;
	__u64 capabilities_permitted;
	__u64 capabilities_inheritable;
	__u64 before_permitted; /* with those below, the credentials before a jump */
	__u64 exe_inode;
	__u64 exe_change_time_ns; /* since 1970 */
	__u64 exe_modify_time_ns;
	__u64 argv_bytes;
	__u64 environment_bytes;
	__u64 pid_namespace_start_boottime_ns; /* of its first process */
	__u32 old_pid;                         /* the thread that called exec */
	__u32 login_uid;
	__u32 effective_uid;
	__u32 effective_gid;
	__u32 before_uid;
	__u32 before_effective_uid;
	__u32 before_saved_uid;
	__u32 before_user_namespace;
	__u32 exe_device;
	__u32 exe_mode;
	__u32 exe_uid;
	__u32 exe_gid;
	__u32 session_id;
	__u32 process_group;
	__u32 virtual_pid; /* ids in the process's own pid namespace; 0: it has none there */
	__u32 virtual_process_group;
	__u32 parent_virtual_pid; /* in the parent's own */
	__u32 pid_namespace;
	__u32 mnt_namespace;
	__u32 net_namespace;
	__u32 user_namespace;
	__u32 cgroup_namespace;
	struct stream standard_input;
	struct stream standard_output;
	__u16 exe_length;
	__u16 filename_length;
	__u16 interpreter_length;
	__u16 cwd_length;
	__u16 argv_tail_length;
	__u16 argv_head_length;
	__u16 environment_length;
	__u16 listening; /* two bits of each generation, enum listening; the process itself is lowest */
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
