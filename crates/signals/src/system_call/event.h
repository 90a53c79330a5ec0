/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the system_call signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_SYSTEM_CALL_EVENT_H
#define CHANDRA_SYSTEM_CALL_EVENT_H

#include "task.h"

#define CALL_ARGUMENTS 6
#define CALL_PATHS     2

enum system_call_kind {
	KIND_SYSTEM_CALL,
};

enum system_call_flag {
	CALL_DESCRIPTOR_OPEN = 1 << 0, /* `descriptor_mode` is known */
	CALL_PATH_TRUNCATED = 1 << 1,  /* the beginning of a path is missing */
	CALL_SOCKET = 1 << 2,          /* the addresses of a socket are known */
	CALL_SOCKET_SERVER = 1 << 3,   /* it listens, or was accepted */
	CALL_DESTINATION = 1 << 4,     /* the peer is the one that the call sent to */
};

/*
 * For each path follow the struct, without gaps or terminators: the path where its name begins, of no
 * bytes at the root; a slash; the name as it was given. Behind them comes the path of what the
 * descriptor stands for, which is the kernel's own.
 */
struct system_call_record {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	struct process process;
	__u64 arguments[CALL_ARGUMENTS];
	__s64 result;
	__u32 kind;
	__u32 number;
	__u32 flags;           /* enum system_call_flag */
	__u32 effective_uid;   /* when the call was done */
	__u32 descriptor_mode; /* type and permissions of the file behind the call's descriptor */
	__u8 path_count;
	__u8 one_in_log2;        /* of so many calls it is one that is told, for all of them */
	__u16 descriptor_family; /* AF_*, where that is a socket */
	__u16 start_lengths[CALL_PATHS];
	__u16 name_lengths[CALL_PATHS];
	/* Of a socket of IPv4 or IPv6, as the kernel has them when the call is done. */
	__u8 local_address[16];
	__u8 peer_address[16];
	__u16 local_port;
	__u16 peer_port; /* 0: it has no peer */
	__u16 socket_protocol;
	__u16 descriptor_path_length;
};

/* In place of a directory: it is a text, and no path. */
#define CALL_TEXT (-2)

enum call_wanted {
	CALL_NOT_WANTED,
	CALL_WANTED,
	CALL_WANTED_BUT_TCP, /* not of TCP sockets, of which others tell */
};

/* What a call does with the address that it is given. */
enum call_sending {
	CALL_SENDS_NOTHING,
	CALL_SENDS_TO,      /* it sends there */
	CALL_SENDS_MESSAGE, /* the address is named by a header (struct user_msghdr) */
};

/* What is wanted of a system call, and where it has its paths; arguments count from 0. */
struct call_shape {
	__u8 wanted; /* enum call_wanted */
	__u8 path_count;
	__s8 paths[CALL_PATHS];
	__s8 directories
		[CALL_PATHS]; /* descriptor where a relative path begins; -1: the working directory */
	__s8 descriptor;      /* below 0: none */
	__s8 address;         /* of a socket, with its length behind; below 0: none */
	__u8 sending;         /* enum call_sending */
};

#endif
