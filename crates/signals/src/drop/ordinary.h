/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What ordinary life throws away without harm, told apart from drops. Found by looking at what a healthy
 * machine's kernel frees in this way; README.md has the list and why. Reasons are found by name: their
 * numbers change with almost every kernel, and one that a kernel lacks is never met.
 */
#ifndef CHANDRA_DROP_ORDINARY_H
#define CHANDRA_DROP_ORDINARY_H

#include "packet.h"
#include "owner.h"

#define IS_REASON(number, name)                                    \
	(bpf_core_enum_value_exists(enum skb_drop_reason, name) && \
	 (number) == bpf_core_enum_value(enum skb_drop_reason, name))

#define IS(record, name) ((record)->flags & DROP_REASON_KNOWN && IS_REASON((record)->reason, name))

/* The kernel frees what has been used by the same way. */
static __always_inline bool is_no_drop(__u32 reason)
{
	return IS_REASON(reason, SKB_CONSUMED) || IS_REASON(reason, SKB_NOT_DROPPED_YET);
}

static __always_inline bool is_ordinary_reason(__u32 reason)
{
	return IS_REASON(reason, SKB_DROP_REASON_OTHERHOST) ||
	       IS_REASON(reason, SKB_DROP_REASON_TCP_OLD_DATA) ||
	       IS_REASON(reason, SKB_DROP_REASON_TCP_OFOMERGE) ||
	       IS_REASON(reason, SKB_DROP_REASON_TCP_OLD_ACK) ||
	       IS_REASON(reason, SKB_DROP_REASON_TCP_RESET) ||
	       IS_REASON(reason, SKB_DROP_REASON_IPV6_NDISC_NS_OTHERHOST) ||
	       IS_REASON(reason, SKB_DROP_REASON_QUEUE_PURGE) ||
	       IS_REASON(reason, SKB_DROP_REASON_PACKET_SOCK_ERROR) ||
	       IS_REASON(reason, SKB_DROP_REASON_MAC_IEEE_MAC_CONTROL);
}

static __always_inline bool is_for_a_group(const struct drop_record *record)
{
	const __u8 *destination = record->destination_address;

	if (record->family == AF_INET6)
		return destination[0] == 0xff;
	return record->family == AF_INET && destination[0] >> 4 == 0xe;
}

#define TCP_SYN 0x02

/*
 * A segment that TCP itself let go without a reason, for it had no use for it: an acknowledgement or a
 * FIN without payload (its header is the first of what is left, or has been taken off), or what waited
 * in a closed socket. One that opens a connection never is.
 */
static __always_inline bool is_spent_segment(const struct drop_record *record,
					     const struct cursor *at, const struct sock *sk)
{
	__u8 words_and_flags[2];
	struct cursor place = *at;

	if (record->protocol != IPPROTO_TCP || !at->offset)
		return false;
	place.offset += 12;
	if (!take(&place, words_and_flags, sizeof(words_and_flags)) || words_and_flags[1] & TCP_SYN)
		return false;
	if (record->length_bytes <= (words_and_flags[0] >> 4) * 4)
		return true;
	return BPF_CORE_READ(sk, __sk_common.skc_state) == STATE_CLOSE;
}

/*
 * A datagram that waited in a socket, and so has no device any more, is let go without a reason only when
 * the socket is closed. Where there are no reasons at all, one that found the socket full looks the same.
 */
static __always_inline bool is_unread(const struct drop_record *record)
{
	return IS(record, SKB_DROP_REASON_NOT_SPECIFIED) && record->protocol == IPPROTO_UDP &&
	       !record->interface_name[0];
}

static __always_inline bool is_ordinary(const struct drop_record *record, const struct cursor *at,
					const struct sock *sk)
{
	bool is_ip = record->ethertype == ETH_P_IP || record->ethertype == ETH_P_IPV6;
	bool has_reason =
		record->flags & DROP_REASON_KNOWN && !IS(record, SKB_DROP_REASON_NOT_SPECIFIED);

	if (record->flags & DROP_REASON_KNOWN && is_ordinary_reason(record->reason))
		return true;
	/* Frames of link-layer protocols that nobody here speaks. */
	if (IS(record, SKB_DROP_REASON_UNHANDLED_PROTO) && !is_ip)
		return true;
	if (!(record->flags & DROP_WAS_RECEIVED))
		return false;
	if (is_for_a_group(record) && (!has_reason || IS(record, SKB_DROP_REASON_IP_INNOROUTES)))
		return true;
	return is_unread(record) || (!has_reason && is_spent_segment(record, at, sk));
}

#endif
