/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the socket of a segment says: whether the segment is new to it, its ends, the connection key. */
#ifndef CHANDRA_HTTP_REQUEST_CONNECTION_H
#define CHANDRA_HTTP_REQUEST_CONNECTION_H

#include "segment.h"

#define STATE_ESTABLISHED 1
#define STATE_FIN_WAIT_1  4
#define STATE_FIN_WAIT_2  5
#define STATE_CLOSE       7
#define STATE_CLOSE_WAIT  8

/* Its owner has closed it, or its listener before it was accepted. */
static __always_inline bool is_dead(const struct sock *sk)
{
	unsigned long dead = 1UL << bpf_core_enum_value(enum sock_flags, SOCK_DEAD);

	return BPF_CORE_READ(sk, __sk_common.skc_flags) & dead;
}

/*
 * A socket of TCP that somebody has, or will accept, and over which something may still go. A listening one has
 * segments, too, and stubs are none.
 */
static __always_inline bool is_connected(const struct sock *sk)
{
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	return (state == STATE_ESTABLISHED || state == STATE_FIN_WAIT_1 ||
		state == STATE_FIN_WAIT_2 || state == STATE_CLOSE_WAIT) &&
	       BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP && !is_dead(sk);
}

/* What was a socket of this cookie is none any more. Its memory may be another's, or nobody's yet. */
static __always_inline bool is_gone(const struct sock *sk, __u64 cookie)
{
	return (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) != cookie ||
	       (BPF_CORE_READ(sk, __sk_common.skc_state) == STATE_CLOSE && is_dead(sk));
}

/* Whether a segment was not sent, or received, before. */
static __always_inline bool is_new(const struct sock *sk, const struct segment *segment)
{
	const struct tcp_sock *tp = (const void *)sk;
	__u32 next = segment->direction == EGRESS ? BPF_CORE_READ(tp, snd_nxt)
						  : BPF_CORE_READ(tp, rcv_nxt);

	return (__s32)(segment->sequence - next) >= 0;
}

/* Whether the current task sends it. TCP also sends in interrupts, and then no task holds the socket. */
static __always_inline bool is_sent_by_task(const struct sock *sk, const struct segment *segment)
{
	return segment->direction == EGRESS && BPF_CORE_READ(sk, sk_lock.owned) != 0;
}

/* Addresses as the socket's owner knows them: below it, NAT may have changed the packet's already. */
static __always_inline void read_ends(const struct sock *sk, __u8 family,
				      struct http_request_record *record)
{
	record->family = family;
	if (family == AF_INET) {
		*(__u32 *)record->local_address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)record->peer_address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	} else {
		BPF_CORE_READ_INTO(&record->local_address, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&record->peer_address, sk, __sk_common.skc_v6_daddr);
	}
	record->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	record->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	record->net_namespace = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

/*
 * The connection key, the sequence number of the first payload byte of each direction, as the signal tcp has it:
 * the kernel counts the opener's SYN as an acknowledged byte. Where the socket moves on meanwhile, or is of a
 * kind whose numbers say something else, there is none.
 */
static __always_inline void read_key(const struct sock *sk, struct http_request_record *record)
{
	const struct tcp_sock *tp = (const void *)sk;
	__u32 unacknowledged = BPF_CORE_READ(tp, snd_una), next = BPF_CORE_READ(tp, rcv_nxt);
	__u64 acknowledged = BPF_CORE_READ(tp, bytes_acked);
	__u32 sent = unacknowledged - (__u32)acknowledged;
	__u32 received = next - (__u32)BPF_CORE_READ(tp, bytes_received);
	/* What accept(2) returned is a copy of the listening socket, backlog limit included. */
	bool is_acceptor = BPF_CORE_READ(sk, sk_max_ack_backlog) != 0;

	if (BPF_CORE_READ_BITFIELD_PROBED(tp, syn_data_acked) ||
	    BPF_CORE_READ_BITFIELD_PROBED(tp, repair) ||
	    (bpf_core_field_exists(tp->is_mptcp) && BPF_CORE_READ(tp, is_mptcp)) ||
	    (!is_acceptor && !acknowledged) || BPF_CORE_READ(tp, snd_una) != unacknowledged ||
	    BPF_CORE_READ(tp, rcv_nxt) != next)
		return;
	record->flags |= HTTP_KEY_KNOWN;
	record->opener_sequence = is_acceptor ? received : sent + 1;
	record->acceptor_sequence = is_acceptor ? sent : received;
}

#endif
