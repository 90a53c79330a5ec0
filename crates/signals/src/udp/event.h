/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the udp signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_UDP_EVENT_H
#define CHANDRA_UDP_EVENT_H

#include "task.h"

enum udp_kind {
	KIND_UDP_OPEN,
	KIND_UDP_REPLY,
	KIND_UDP_UPDATE,
	KIND_UDP_CLOSE,
};

/* Why a conversation is over. */
enum udp_end {
	END_NOT_YET,
	END_SOCKET_CLOSED,
	END_IDLE,
	END_EVICTED,
};

enum udp_flag {
	UDP_OWNER_KNOWN = 1 << 0,
	UDP_OPENED_BEFORE_START =
		1 << 1, /* its socket was, so its first datagram may not be its first */
	UDP_RECEIVED_FIRST = 1 << 2, /* the other end began */
};

/* A conversation, from the end whose socket it is. */
struct udp_record {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	struct process
		process; /* who sent through the socket last, else who bound it; UDP_OWNER_KNOWN */
	__u64 socket_cookie;
	__u64 began_ns; /* its first datagram */
	__u64 last_ns;  /* its last one so far */
	__u64 datagrams_sent;
	__u64 datagrams_received; /* that reached the socket, whether it had room or not */
	__u64 bytes_sent;         /* payload */
	__u64 bytes_received;
	__u64 socket_drops; /* of the whole socket: datagrams for which it had no room */
	__u32 net_namespace;
	__u32 flags;            /* enum udp_flag */
	__u8 local_address[16]; /* IPv4 in the first four */
	__u8 peer_address[16];
	__u16 local_port; /* host byte order */
	__u16 peer_port;
	__u8 family; /* of the packets */
	__u8 kind;
	__u8 end;         /* enum udp_end */
	__u8 one_in_log2; /* of so many conversations it is one that is told, for all of them */
};

#endif
