/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where messages begin in a TCP connection: each comes behind its length in two bytes (RFC 1035, 4.2.2;
 * RFC 7766), and that may be said one segment earlier than the message.
 *
 * A message is read from the segment that it begins in. Which that is follows from the sequence numbers
 * since the first byte. Where they were not seen (the connection is older, a segment came out of order)
 * only a segment that is exactly one message, by its length, is taken for one, and sets the count right.
 */
#ifndef CHANDRA_DNS_STREAM_H
#define CHANDRA_DNS_STREAM_H

#include "packet.h"

#define LENGTH_BYTES         2
#define MESSAGES_PER_SEGMENT 4

struct stream_key {
	__u64 socket_cookie;
	__u32 direction;
	__u32 padding;
};

struct stream {
	__u32 next;          /* sequence number at which the next length, or message, begins */
	__u32 message_bytes; /* the length was read, the message begins at `next`; 0: not yet */
};

/* Bytes: about 90 x max_entries; the one that was not used for the longest time goes first. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct stream_key);
	__type(value, struct stream);
} streams SEC(".maps");

/*
 * Whether a segment is the first of its direction that has data. The kernel counts the opener's SYN as an
 * acknowledged byte; a socket that accept(2) returns has its listener's backlog limit.
 */
static __always_inline bool is_first(const struct sock *sk, const struct packet *packet)
{
	const struct tcp_sock *tp = (const void *)sk;
	__u32 first;

	if (packet->direction == INGRESS) {
		first = BPF_CORE_READ(tp, rcv_nxt) - (__u32)BPF_CORE_READ(tp, bytes_received);
	} else {
		first = BPF_CORE_READ(tp, snd_una) - (__u32)BPF_CORE_READ(tp, bytes_acked);
		if (!BPF_CORE_READ(sk, sk_max_ack_backlog))
			first += 1;
	}
	return packet->sequence == first;
}

/* Whether a message may begin in this segment, and what is known of the stream there. */
static __always_inline bool find_stream(struct __sk_buff *skb, const struct stream_key *key,
					const struct packet *packet, struct stream *stream)
{
	const struct stream *known = bpf_map_lookup_elem(&streams, key);
	__be16 length = 0;

	if (known) {
		*stream = *known;
		if (stream->next == packet->sequence)
			return true;
		/* The rest of a message, or sent again. */
		if ((__s32)(packet->sequence - stream->next) < 0)
			return false;
	}
	if (known || !is_first(socket_of(skb), packet)) {
		bpf_skb_load_bytes(skb, packet->payload_offset, &length, sizeof(length));
		if (bpf_ntohs(length) + LENGTH_BYTES != packet->payload_bytes)
			return false;
	}
	stream->next = packet->sequence;
	stream->message_bytes = 0;
	return true;
}

/* Reads a message's length, unless the segment before said it; false where it is cut in two. */
static __always_inline bool take_length(struct __sk_buff *skb, struct stream *stream, __u32 *offset,
					__u32 *left)
{
	__be16 length;

	if (stream->message_bytes)
		return true;
	if (*left < LENGTH_BYTES || bpf_skb_load_bytes(skb, *offset, &length, sizeof(length)))
		return false;
	stream->message_bytes = bpf_ntohs(length);
	stream->next += LENGTH_BYTES;
	*offset += LENGTH_BYTES;
	*left -= LENGTH_BYTES;
	return true;
}

#endif
