/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the tcp signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_TCP_EVENT_H
#define CHANDRA_TCP_EVENT_H

#include "task.h"

enum tcp_kind {
	KIND_TCP_CONNECT,
	KIND_TCP_ESTABLISHED,
	KIND_TCP_CONNECT_FAILED,
	KIND_TCP_ACCEPT,
	KIND_TCP_CLOSE,
	KIND_TCP_STATE,
	KIND_TCP_RETRANSMIT,
	KIND_TCP_RESET,
	KIND_TCP_CONNECT_RETRY,
	KIND_TCP_UPDATE,
	KIND_TCP_LISTEN_DROP,
};

enum tcp_role {
	ROLE_UNKNOWN,
	ROLE_OPENER,
	ROLE_ACCEPTOR,
	ROLE_LISTENER, /* no end of a connection */
};

/* Why the sequence numbers of this connection cannot be compared with its other end's. */
enum tcp_key_state {
	KEY_NOT_ESTABLISHED,
	KEY_VALID,
	KEY_FAST_OPEN,
	KEY_MPTCP,
	KEY_REPAIRED,
	KEY_ROLE_UNKNOWN,
};

enum tcp_flag {
	TCP_OWNER_KNOWN = 1 << 0,
	TCP_OPENED_BEFORE_START = 1 << 1,
	TCP_RESET_SENT = 1 << 2,
	TCP_NO_SOCKET = 1 << 3, /* a reset for which there was no connection */
	TCP_REASON_KNOWN = 1 << 4,
	TCP_HANDSHAKE_SEEN = 1 << 5,
};

struct tcp_record {
	__u64 time_ns;          /* CLOCK_BOOTTIME */
	struct process process; /* the owner of this end, with TCP_OWNER_KNOWN */
	__u64 socket_cookie;
	__u64 elapsed_ns; /* since connect, since the handshake, or the life time: the kind says which */
	__u64 bytes_sent;
	__u64 bytes_received;
	__u32 segments_sent;
	__u32 segments_received;
	__u32 retransmits;
	__u32 smoothed_rtt_us; /* times eight, as the kernel keeps it; 0: not measured */
	__u32 minimum_rtt_us;  /* 0xffffffff: not measured */
	__u32 opener_sequence; /* first byte's sequence number in each direction: the key */
	__u32 acceptor_sequence;
	__u32 net_namespace;
	__u32 receive_window_limited; /* jiffies in which the peer's window was what held it up */
	__u32 send_buffer_limited;    /* jiffies in which its own buffer was */
	__u32 drops;                  /* of a listening socket, since they were told last */
	__u32 accept_queue;           /* connections in it, and how many it takes */
	__u32 accept_queue_limit;
	__u32 code;             /* errno of a failed connect, or the kernel's reset reason */
	__u32 flags;            /* enum tcp_flag */
	__u8 local_address[16]; /* IPv4 in the first four */
	__u8 peer_address[16];
	__u16 local_port; /* host byte order */
	__u16 peer_port;
	__u8 family;
	__u8 kind;
	__u8 role;
	__u8 key_state;
	__u8 old_state;
	__u8 new_state;
	__u8 one_in_log2; /* of so many connections it is one that is told, for all of them */
	__u8 padding;
};

#endif
