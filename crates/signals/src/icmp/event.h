/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the icmp signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_ICMP_EVENT_H
#define CHANDRA_ICMP_EVENT_H

#include "task.h"

/*
 * What is copied of a message at most, from behind its first eight bytes on: enough for the headers of
 * the packet that an error quotes, with options, and for those of a redirect of IPv6, which come late.
 */
#define DATA_BYTES 112

enum icmp_kind {
	KIND_ICMP_ERROR, /* with a quoted packet: redirects, too (RFC 1122, 3.2.2) */
	KIND_ICMP_ECHO,
	KIND_ICMP_OTHER, /* neighbour discovery, multicast listeners, timestamps, ... */
};

enum icmp_flag {
	ICMP_OWNER_KNOWN = 1 << 0,
	ICMP_LATENCY_KNOWN = 1 << 1,
	ICMP_SENT = 1 << 2, /* it was made here; else it came in */
	ICMP_SOURCE_KNOWN = 1 << 3,
	ICMP_WORD_KNOWN = 1 << 4,
};

struct icmp_record {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	struct process
		process; /* who sent it, or the request that it answers; with ICMP_OWNER_KNOWN */
	__u64 socket_cookie; /* of a program's socket; 0: none, or not known */
	__u64 latency_ns;    /* of an echo reply, since its request, with ICMP_LATENCY_KNOWN */
	__u32 net_namespace;
	__u32 flags; /* enum icmp_flag */
	__u32 interface_index;
	__u32 message_bytes;  /* its header and what follows; 0: not known */
	__u32 captured_bytes; /* how many of `data` there are */
	__u8 interface_name[16];
	__u8 source_address[16]; /* IPv4 in the first four; with ICMP_SOURCE_KNOWN */
	__u8 destination_address[16];
	__u8 word[4]; /* bytes four to seven: id and sequence, MTU, ...; with ICMP_WORD_KNOWN */
	__u8 family;
	__u8 kind;
	__u8 type;
	__u8 code;
	__u8 hop_limit; /* of what came in; 0: not known */
	__u8 padding[3];
	__u8 data[DATA_BYTES];
};

#endif
