/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the drop signal, as it crosses the ring, and the key of what is counted in the kernel. */
#ifndef CHANDRA_DROP_EVENT_H
#define CHANDRA_DROP_EVENT_H

#include "task.h"

enum drop_kind {
	KIND_PACKET_DROP,
	KIND_PACKET_DISCARD, /* what ordinary life throws away without harm */
};

enum drop_flag {
	DROP_OWNER_KNOWN = 1 << 0,
	DROP_REASON_KNOWN = 1 << 1,
	DROP_ADDRESSES_KNOWN = 1 << 2,
	DROP_PORTS_KNOWN = 1 << 3,
	DROP_TCP_FLAGS_KNOWN = 1 << 4,
	DROP_ICMP_KNOWN = 1 << 5,
	DROP_IS_FRAGMENT = 1 << 6,
	DROP_WAS_RECEIVED = 1 << 7, /* it came in by an interface; else it was made here */
	DROP_PROTOCOL_KNOWN = 1 << 8,
};

struct drop_record {
	__u64 time_ns;          /* CLOCK_BOOTTIME */
	struct process process; /* who has the socket open, with DROP_OWNER_KNOWN */
	__u64 location;         /* address in the kernel's code; a secret */
	__u64 socket_cookie;
	__u32 reason; /* of the running kernel's enum skb_drop_reason */
	__u32 net_namespace;
	__u32 length_bytes;
	__u32 interface_index;
	__u32 flags; /* enum drop_flag */
	__u8 interface_name[16];
	__u8 source_address[16]; /* IPv4 in the first four */
	__u8 destination_address[16];
	__u16 source_port; /* host byte order */
	__u16 destination_port;
	__u16 ethertype; /* host byte order; 0: not known */
	__u8 family;
	__u8 protocol; /* of IP */
	__u8 kind;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
};

/* What drops are counted by, each of them, whether a record was sent of it or not. */
struct drop_key {
	__u64 location;
	__u32 reason;
	__u32 net_namespace;
	__u16 ethertype;
	__u8 protocol;
	__u8 kind;
	__u32 padding;
};

struct drop_count {
	__u64 packets;
	__u64 bytes;
};

#endif
