/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does a segment of TCP begin a request or an answer of HTTP/1? What every packet of the machine pays is
 * `message_in`, up to the comparison of its first eight bytes.
 */
#ifndef CHANDRA_HTTP_REQUEST_SEGMENT_H
#define CHANDRA_HTTP_REQUEST_SEGMENT_H

#include "event.h"

#define IP_BYTES   20
#define IPV6_BYTES 40
#define TCP_BYTES  20

/* What TCP sends at once at least (RFC 9293, 3.7.1): a line that does not end there may go on in the next. */
#define SMALLEST_SEGMENT 536

/* `HTTP/1.1`, CR LF: the end of a request's line. */
#define VERSION_BYTES 10

/* `HTTP/1.1 200`: the beginning of an answer's. */
#define STATUS_BYTES 12

#define CHUNK_BYTES 64
#define LINE_BYTES  512 /* so far is looked for the end of a line */

enum direction {
	EGRESS,
	INGRESS,
};

enum message {
	NO_MESSAGE,
	REQUEST,
	ANSWER,
};

/* Offsets are from the IP header. */
struct segment {
	__u32 payload_offset;
	__u32 payload_bytes;
	__u32 sequence;     /* of the first byte of the payload */
	__u32 acknowledged; /* up to where its sender had received */
	__u8 family;
	__u8 direction;
};

/*
 * 1 to `most`, so that a verifier knows it that is of 2020: of a comparison with 0 it learns nothing, and of one
 * that the compiler made of both it would learn of another register.
 */
#define is_within(bytes, most)                  \
	({                                      \
		__u32 least = 1;                \
		bool is = false;                \
                                                \
		barrier_on(least);              \
		barrier_on(bytes);              \
		if ((bytes) >= least) {         \
			barrier_on(bytes);      \
			is = (bytes) <= (most); \
		}                               \
		is;                             \
	})

/* The verifier keeps what it calls a socket from being read as the kernel's own; a copy is a number. */
static __always_inline const struct sock *plain(const void *socket)
{
	const void *typed = socket;
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &typed);
	return (const void *)number;
}

static __always_inline const struct sock *socket_of(const struct __sk_buff *skb)
{
	return plain((const void *)skb->sk);
}

static __always_inline enum message message_of(__u64 first)
{
	const __u64 answer = 0x2e312f50545448; /* HTTP/1. */

	if (!((first ^ answer) << 8))
		return ANSWER;
	switch ((__u32)first) {
	case 0x20544547: /* GET, and a space */
	case 0x20545550: /* PUT */
		return REQUEST;
	case 0x54534f50: /* POST */
	case 0x44414548: /* HEAD */
		return (first >> 32 & 0xff) == ' ' ? REQUEST : NO_MESSAGE;
	case 0x43544150: /* PATC */
		return (first >> 32 & 0xffff) == 0x2048 ? REQUEST : NO_MESSAGE;
	case 0x43415254: /* TRAC */
		return (first >> 32 & 0xffff) == 0x2045 ? REQUEST : NO_MESSAGE;
	case 0x454c4544: /* DELE */
		return (first >> 32 & 0xffffff) == 0x204554 ? REQUEST : NO_MESSAGE;
	case 0x4954504f: /* OPTI */
		return first >> 32 == 0x20534e4f ? REQUEST : NO_MESSAGE;
	case 0x4e4e4f43: /* CONN */
		return first >> 32 == 0x20544345 ? REQUEST : NO_MESSAGE;
	}
	return NO_MESSAGE;
}

/*
 * The kernel has the headers that it reads here in the packet's linear part; the payload may be elsewhere.
 * IPv6 extension headers are not looked through.
 */
static __always_inline enum message message_in(struct __sk_buff *skb, struct segment *segment)
{
	const __u8 *ip = (void *)(long)skb->data;
	const void *end = (void *)(long)skb->data_end;
	const __u8 *transport, *payload;
	__u64 first;
	__u32 offset;

	if ((void *)(ip + IP_BYTES) > end)
		return NO_MESSAGE;
	if (ip[0] >> 4 == 4) {
		if (ip[9] != IPPROTO_TCP)
			return NO_MESSAGE;
		segment->family = AF_INET;
		offset = (ip[0] & 0x0f) * 4;
	} else {
		if (ip[6] != IPPROTO_TCP)
			return NO_MESSAGE;
		segment->family = AF_INET6;
		offset = IPV6_BYTES;
	}
	transport = ip + offset;
	if ((void *)(transport + TCP_BYTES) > end)
		return NO_MESSAGE;
	offset += (transport[12] >> 4) * 4;
	if (skb->len < offset + STATUS_BYTES)
		return NO_MESSAGE;
	segment->payload_offset = offset;
	segment->payload_bytes = skb->len - offset;
	segment->sequence = bpf_ntohl(*(const __be32 *)(transport + 4));
	segment->acknowledged = bpf_ntohl(*(const __be32 *)(transport + 8));
	payload = ip + offset;
	if ((void *)(payload + sizeof(first)) <= end)
		first = *(const __u64 *)payload;
	else if (bpf_skb_load_bytes(skb, offset, &first, sizeof(first)))
		return NO_MESSAGE;
	return message_of(first);
}

/* All of a segment but its sequence numbers, as a number: a global function takes nothing else before 5.13. */
static __always_inline __u64 packed(const struct segment *segment)
{
	return (__u64)segment->payload_bytes << 32 | segment->payload_offset << 16 |
	       segment->direction << 8 | segment->family;
}

static __always_inline struct segment unpacked(__u64 packed, __u32 sequence, __u32 acknowledged)
{
	struct segment segment = {
		.payload_bytes = packed >> 32,
		.payload_offset = packed >> 16 & 0xffff,
		.direction = packed >> 8 & 0xff,
		.family = packed & 0xff,
		.sequence = sequence,
		.acknowledged = acknowledged,
	};

	return segment;
}

/* Up to behind the first LF of so many bytes; 0 where there is none. */
static __always_inline __u32 end_of_line(const __u8 *chunk, __u32 bytes)
{
	for (__u32 i = 0; i < CHUNK_BYTES; i++) {
		if (i >= bytes)
			break;
		if (chunk[i] == '\n')
			return i + 1;
	}
	return 0;
}

/*
 * How many bytes the payload's first line has, its end included; 0 where it does not end within what is looked
 * at. A global function, which the verifier checks once and not for every way that leads here. What is left behind
 * whole chunks is looked at last, so that there is one way from chunk to chunk.
 */
__noinline int line_bytes(struct __sk_buff *skb, __u32 offset, __u32 bytes)
{
	__u8 chunk[CHUNK_BYTES] = {};
	__u32 at, left, end;

	for (at = 0; at < LINE_BYTES && bytes >= at + CHUNK_BYTES; at += CHUNK_BYTES) {
		if (bpf_skb_load_bytes(skb, offset + at, chunk, CHUNK_BYTES))
			return 0;
		end = end_of_line(chunk, CHUNK_BYTES);
		if (end)
			return at + end;
	}
	left = bytes - at;
	if (at >= LINE_BYTES || !is_within(left, CHUNK_BYTES) ||
	    bpf_skb_load_bytes(skb, offset + at, chunk, left))
		return 0;
	end = end_of_line(chunk, left);
	return end ? at + end : 0;
}

/* Whether the payload's first line ends as a request's does, with or without CR. One that is long may not end here. */
static __always_inline bool has_request_line(struct __sk_buff *skb, const struct segment *segment)
{
	__u32 bytes = line_bytes(skb, segment->payload_offset, segment->payload_bytes);
	__u8 end[VERSION_BYTES];
	__u64 version = 0;

	if (!bytes)
		return segment->payload_bytes >= SMALLEST_SEGMENT;
	if (bytes <= VERSION_BYTES ||
	    bpf_skb_load_bytes(skb, segment->payload_offset + bytes - VERSION_BYTES, end,
			       sizeof(end)))
		return false;
	__builtin_memcpy(&version, end[VERSION_BYTES - 2] == '\r' ? end : end + 1, sizeof(version));
	return message_of(version) == ANSWER;
}

/* The status that an answer begins with; 0 where it does not. */
static __always_inline __u32 status_in(struct __sk_buff *skb, const struct segment *segment)
{
	__u8 line[STATUS_BYTES];
	__u32 status = 0;

	if (bpf_skb_load_bytes(skb, segment->payload_offset, line, sizeof(line)) || line[8] != ' ')
		return 0;
	for (int i = STATUS_BYTES - 3; i < STATUS_BYTES; i++) {
		if (line[i] < '0' || line[i] > '9')
			return 0;
		status = status * 10 + (line[i] - '0');
	}
	return status;
}

#endif
