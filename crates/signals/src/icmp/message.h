/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a message of ICMP says of itself, from wherever in the kernel it is met. What cannot be read stays
 * zero, which says that it is not known.
 */
#ifndef CHANDRA_ICMP_MESSAGE_H
#define CHANDRA_ICMP_MESSAGE_H

#include "event.h"

/* RFC 791, RFC 8200, RFC 792, RFC 4443. */
#define IPV4_BYTES 20
#define IPV6_BYTES 40
#define ICMP_BYTES 8

#define ICMP_ECHO_REPLY     0
#define ICMP_UNREACHABLE    3
#define ICMP_SOURCE_QUENCH  4
#define ICMP_REDIRECT       5
#define ICMP_ECHO_REQUEST   8
#define ICMP_TIME_EXCEEDED  11
#define ICMP_PARAMETER      12
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY   129
#define ICMPV6_REDIRECT     137

struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__u8 word[4];
};

static __always_inline bool is_echo_request(const struct icmp_record *record)
{
	return record->family == AF_INET ? record->type == ICMP_ECHO_REQUEST
					 : record->type == ICMPV6_ECHO_REQUEST;
}

static __always_inline bool is_echo_reply(const struct icmp_record *record)
{
	return record->family == AF_INET ? record->type == ICMP_ECHO_REPLY
					 : record->type == ICMPV6_ECHO_REPLY;
}

static __always_inline __u8 kind_of(const struct icmp_record *record)
{
	if (is_echo_request(record) || is_echo_reply(record))
		return KIND_ICMP_ECHO;
	if (record->family == AF_INET6)
		return record->type < ICMPV6_ECHO_REQUEST || record->type == ICMPV6_REDIRECT
			       ? KIND_ICMP_ERROR
			       : KIND_ICMP_OTHER;
	switch (record->type) {
	case ICMP_UNREACHABLE:
	case ICMP_SOURCE_QUENCH:
	case ICMP_REDIRECT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER:
		return KIND_ICMP_ERROR;
	default:
		return KIND_ICMP_OTHER;
	}
}

static __always_inline void take_header(struct icmp_record *record,
					const struct icmp_header *header)
{
	record->type = header->type;
	record->code = header->code;
	__builtin_memcpy(record->word, header->word, 4);
	record->flags |= ICMP_WORD_KNOWN;
	record->kind = kind_of(record);
}

/* A buffer's bytes from `offset` on, of its linear part. Only errors have anything of interest there. */
static __always_inline void capture(struct icmp_record *record, const struct sk_buff *skb,
				    __u32 offset)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	__u32 tail = BPF_CORE_READ(skb, tail);
	__u32 bytes = tail > offset ? tail - offset : 0;

	if (record->kind != KIND_ICMP_ERROR)
		return;
	if (bytes > DATA_BYTES)
		bytes = DATA_BYTES;
	barrier_on(bytes);
	if (!bytes || bytes > DATA_BYTES)
		return;
	if (!bpf_probe_read_kernel(record->data, bytes, head + offset))
		record->captured_bytes = bytes;
}

static __always_inline void read_device(struct icmp_record *record, const struct net_device *device)
{
	record->net_namespace = BPF_CORE_READ(device, nd_net.net, ns.inum);
	record->interface_index = BPF_CORE_READ(device, ifindex);
	bpf_core_read(record->interface_name, sizeof(record->interface_name), &device->name);
}

/* As icmp_rcv and icmpv6_rcv get it: the transport header is ICMP's, and the buffer begins there. */
static __always_inline bool read_received(struct icmp_record *record, const struct sk_buff *skb)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	__u32 offset = BPF_CORE_READ(skb, transport_header);
	const unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	struct icmp_header header;

	if (bpf_probe_read_kernel(&header, sizeof(header), head + offset))
		return false;
	take_header(record, &header);
	if (record->family == AF_INET) {
		bpf_probe_read_kernel(record->source_address, 4, ip + 12);
		bpf_probe_read_kernel(record->destination_address, 4, ip + 16);
		bpf_probe_read_kernel(&record->hop_limit, 1, ip + 8);
	} else {
		bpf_probe_read_kernel(record->source_address, 16, ip + 8);
		bpf_probe_read_kernel(record->destination_address, 16, ip + 24);
		bpf_probe_read_kernel(&record->hop_limit, 1, ip + 7);
	}
	record->flags |= ICMP_SOURCE_KNOWN;
	record->message_bytes = BPF_CORE_READ(skb, len);
	read_device(record, BPF_CORE_READ(skb, dev));
	capture(record, skb, offset + ICMP_BYTES);
	return true;
}

#endif
