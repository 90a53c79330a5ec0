/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the http_request signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_HTTP_REQUEST_EVENT_H
#define CHANDRA_HTTP_REQUEST_EVENT_H

#include "task.h"

/*
 * What is copied of a request's head at most; longer ones are cut, and their record says so. With what is
 * remembered beside, it is just below 2048 bytes, which is a size that the kernel's allocator has.
 */
#define CAPTURE_BYTES 1792

enum http_request_kind {
	KIND_HTTP_REQUEST,
};

enum http_request_flag {
	HTTP_OWNER_KNOWN = 1 << 0,
	HTTP_SERVER = 1 << 1, /* this end answers */
	HTTP_KEY_KNOWN = 1 << 2,
};

/* What came of a request. */
enum http_request_outcome {
	OUTCOME_ANSWERED,
	OUTCOME_CLOSED,    /* this end closed the connection before an answer began */
	OUTCOME_PIPELINED, /* sent before the answer to one before it: its own is not looked for */
	OUTCOME_UNSEEN,    /* something came back whose beginning was not seen as an answer's */
	OUTCOME_UNASKED,   /* an answer to a request that was not seen */
};

/* The head of the request follows, as far as it was captured; none of one that was not seen. */
struct http_request_record {
	__u64 time_ns;          /* CLOCK_BOOTTIME */
	struct process process; /* whose socket it is, with HTTP_OWNER_KNOWN */
	__u64 socket_cookie;
	__u64 duration_ns; /* from the request's first byte to the answer's, or to the close */
	__u32 net_namespace;
	__u32 flags;           /* enum http_request_flag */
	__u32 opener_sequence; /* the connection key, with HTTP_KEY_KNOWN */
	__u32 acceptor_sequence;
	__u32 captured_bytes;
	__u8 local_address[16]; /* IPv4 in the first four */
	__u8 peer_address[16];
	__u16 local_port; /* host byte order */
	__u16 peer_port;
	__u16 status; /* of the answer; 0: none */
	__u8 family;  /* of the packet */
	__u8 outcome; /* enum http_request_outcome */
	__u8 padding[4];
};

#endif
