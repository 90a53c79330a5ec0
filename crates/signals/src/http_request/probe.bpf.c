/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests over HTTP/1 in clear, and what came of them, at the sockets that send and receive them. See README.md
 * for hooks and their cost.
 *
 * A packet is always let through: every program returns PASS. These programs may be preempted by one another on
 * the same CPU, so nothing of a message is kept in per-CPU memory.
 */
#include "budget.h"
#include "connection.h"
#include "pending.h"

EXPORT(enum, http_request_kind);
EXPORT(enum, http_request_flag);
EXPORT(enum, http_request_outcome);
EXPORT(struct, http_request_record);

#define PASS 1

/* Tells of half an exchange, whose other half is not known. */
static __always_inline void tell_half(struct __sk_buff *skb, const struct segment *segment,
				      enum http_request_outcome outcome, __u32 status)
{
	const struct sock *sk = socket_of(skb);
	struct claim claim = { .passes = nobody_passes() };
	struct http_request_record record = {
		.time_ns = bpf_ktime_get_boot_ns(),
		.socket_cookie = bpf_get_socket_cookie(skb),
		.status = status,
		.outcome = outcome,
	};

	if ((outcome == OUTCOME_UNASKED) == (segment->direction == EGRESS))
		record.flags |= HTTP_SERVER;
	read_ends(sk, segment->family, &record);
	read_key(sk, &record);
	if (is_sent_by_task(sk, segment))
		own(&record, &claim);
	tell(skb, &record, &claim, 0);
}

/* A request is sent, or comes. */
static __always_inline void begin(struct __sk_buff *skb, const struct segment *segment,
				  struct pending *pending)
{
	const struct sock *sk = socket_of(skb);
	struct http_request_record *record = &pending->record;
	__u32 captured = segment->payload_bytes;

	pending->socket = (__u64)sk;
	pending->sequence = segment->sequence;
	pending->expected = segment->acknowledged;
	pending->has_interim = false;
	pending->others = 0;
	pending->claim.is_known = false;
	pending->claim.passes = nobody_passes();
	pending->claim.selected_by = 0;
	__builtin_memset(record, 0, sizeof(*record));
	record->socket_cookie = bpf_get_socket_cookie(skb);
	if (segment->direction == INGRESS)
		record->flags |= HTTP_SERVER;
	read_ends(sk, segment->family, record);
	/* What comes is not the socket's yet, so that its numbers may change meanwhile. */
	if (segment->direction == EGRESS)
		read_key(sk, record);
	if (is_sent_by_task(sk, segment))
		own(record, &pending->claim);
	if (captured > CAPTURE_BYTES)
		captured = CAPTURE_BYTES;
	if (is_within(captured, CAPTURE_BYTES) &&
	    !bpf_skb_load_bytes(skb, segment->payload_offset, pending->head, captured))
		record->captured_bytes = captured;
	pending->began_ns = bpf_ktime_get_boot_ns();
	pending->is_open = true;
}

__noinline int on_request(struct __sk_buff *skb, __u64 packed, __u32 sequence, __u32 acknowledged)
{
	const struct segment segment = unpacked(packed, sequence, acknowledged);
	struct pending *pending;
	const struct sock *sk;
	__u64 cookie;

	if (!skb->sk || !has_request_line(skb, &segment))
		return 0;
	sk = socket_of(skb);
	if (!is_connected(sk) || !is_new(sk, &segment))
		return 0;
	cookie = bpf_get_socket_cookie(skb);
	pending = bpf_map_lookup_elem(&requests, &cookie);
	if (!pending) {
		pending = make_pending(&cookie);
		if (pending) {
			begin(skb, &segment, pending);
		} else {
			COUNT(seen);
			COUNT(lost);
		}
		return 0;
	}
	/* It came in another order than it was sent in, and now comes again. */
	if (pending->is_open && pending->sequence == sequence)
		return 0;
	if (pending->is_open ? pending->expected == acknowledged : pending->others != 0) {
		__sync_fetch_and_add(&pending->others, 1);
		tell_half(skb, &segment, OUTCOME_PIPELINED, 0);
		return 0;
	}
	/* Who asks again has had an answer. */
	if (take(pending))
		tell_pending(skb, pending, OUTCOME_UNSEEN);
	begin(skb, &segment, pending);
	return 0;
}

static __always_inline bool is_interim(__u32 status)
{
	return status >= 100 && status <= 199 && status != 101;
}

/* The answer to a request that was seen begins. */
static __always_inline void answer(struct __sk_buff *skb, const struct segment *segment,
				   struct pending *pending, __u32 status)
{
	const struct sock *sk = socket_of(skb);
	__s32 ahead = segment->sequence - pending->expected;

	/* One before, which came late. */
	if (ahead < 0)
		return;
	if (is_interim(status)) {
		pending->has_interim = true;
		return;
	}
	if (!take(pending))
		return;
	if (is_sent_by_task(sk, segment))
		own(&pending->record, &pending->claim);
	if (segment->direction == EGRESS)
		read_key(sk, &pending->record);
	if (ahead && !pending->has_interim) {
		tell_pending(skb, pending, OUTCOME_UNSEEN);
	} else {
		pending->record.status = status;
		tell_pending(skb, pending, OUTCOME_ANSWERED);
	}
}

__noinline int on_answer(struct __sk_buff *skb, __u64 packed, __u32 sequence)
{
	const struct segment segment = unpacked(packed, sequence, 0);
	__u32 status = status_in(skb, &segment);
	struct pending *pending;
	const struct sock *sk;
	__u64 cookie;

	if (!skb->sk || !status)
		return 0;
	sk = socket_of(skb);
	if (!is_connected(sk) || !is_new(sk, &segment))
		return 0;
	cookie = bpf_get_socket_cookie(skb);
	pending = bpf_map_lookup_elem(&requests, &cookie);
	if (!pending) {
		if (!is_interim(status))
			tell_half(skb, &segment, OUTCOME_UNASKED, status);
		return 0;
	}
	if (pending->is_open)
		answer(skb, &segment, pending, status);
	else if (pending->others && !is_interim(status))
		__sync_fetch_and_add(&pending->others, -1);
	if (!pending->is_open && !pending->others)
		bpf_map_delete_elem(&requests, &cookie);
	return 0;
}

static __always_inline int on_packet(struct __sk_buff *skb, enum direction direction)
{
	struct segment segment = { .direction = direction };

	switch (message_in(skb, &segment)) {
	case REQUEST:
		if (listens())
			on_request(skb, packed(&segment), segment.sequence, segment.acknowledged);
		break;
	case ANSWER:
		if (listens())
			on_answer(skb, packed(&segment), segment.sequence);
		break;
	case NO_MESSAGE:
		break;
	}
	return PASS;
}

SEC("cgroup_skb/egress")
int http_egress(struct __sk_buff *skb)
{
	return on_packet(skb, EGRESS);
}

SEC("cgroup_skb/ingress")
int http_ingress(struct __sk_buff *skb)
{
	return on_packet(skb, INGRESS);
}

/* In the task that closes it, or ends with it. */
SEC("cgroup/sock_release")
int http_release(struct bpf_sock *sk)
{
	struct pending *pending;
	__u64 cookie;

	if (sk->protocol != IPPROTO_TCP)
		return PASS;
	cookie = bpf_get_socket_cookie(sk);
	pending = bpf_map_lookup_elem(&requests, &cookie);
	if (!pending)
		return PASS;
	if (take(pending)) {
		if (!pending->claim.is_known)
			own(&pending->record, &pending->claim);
		if (!(pending->record.flags & HTTP_KEY_KNOWN))
			read_key(plain(sk), &pending->record);
		tell_pending(sk, pending, OUTCOME_CLOSED);
	}
	bpf_map_delete_elem(&requests, &cookie);
	return PASS;
}

/* Now and then, for each request: a connection that nobody has accepted ends with its listener, without a word. */
SEC("iter/bpf_map_elem")
int requests_iter(struct bpf_iter__bpf_map_elem *ctx)
{
	const __u64 *at = ctx->key;
	struct pending *pending;
	__u64 cookie;

	if (!at)
		return 0;
	cookie = *at;
	pending = bpf_map_lookup_elem(&requests, &cookie);
	if (!pending || !is_gone((const struct sock *)pending->socket, cookie))
		return 0;
	/* Nobody else comes to it any more, and in 5.10 an iterator may not take locks. */
	if (pending->is_open)
		tell_pending(ctx, pending, OUTCOME_CLOSED);
	bpf_map_delete_elem(&requests, &cookie);
	return 0;
}
