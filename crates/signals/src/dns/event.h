/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the dns signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_DNS_EVENT_H
#define CHANDRA_DNS_EVENT_H

#include "task.h"

/* What is copied of a message at most; longer ones are cut, and their record says so. */
#define CAPTURE_BYTES 4096

enum dns_kind {
	KIND_DNS_QUERY,
	KIND_DNS_RESPONSE,
};

enum dns_flag {
	DNS_OWNER_KNOWN = 1 << 0,
	DNS_LATENCY_KNOWN = 1 << 1,
	DNS_SERVER = 1 << 2, /* this end answers, or is asked */
	DNS_TCP = 1 << 3,
};

/* The message follows it, from `message_offset` on. */
struct dns_record {
	__u64 time_ns;          /* CLOCK_BOOTTIME */
	struct process process; /* whose socket it is, with DNS_OWNER_KNOWN */
	__u64 socket_cookie;
	__u64 latency_ns; /* of a response, since its query, with DNS_LATENCY_KNOWN */
	__u32 net_namespace;
	__u32 flags;            /* enum dns_flag */
	__u32 message_bytes;    /* as it was sent */
	__u32 captured_bytes;   /* of those, how many are here */
	__u32 message_offset;   /* what comes before is of the packet's headers */
	__u8 local_address[16]; /* IPv4 in the first four */
	__u8 peer_address[16];
	__u16 local_port; /* host byte order */
	__u16 peer_port;
	__u8 family; /* of the packet */
	__u8 kind;
	__u8 padding[6];
};

#endif
