/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is a packet DNS? What every packet of the machine pays is `is_dns`, up to its comparison of ports. */
#ifndef CHANDRA_DNS_PACKET_H
#define CHANDRA_DNS_PACKET_H

#include "event.h"

#define DNS_PORT     53
#define HEADER_BYTES 12 /* RFC 1035, 4.1.1 */
#define UDP_BYTES    8
#define TCP_BYTES    20
#define TCP_SYN      0x02
#define IP_BYTES     20
#define IPV6_BYTES   40
#define PORTS_BYTES  4

enum direction {
	EGRESS,
	INGRESS,
};

/* A packet to or from a port of DNS. Offsets are from its IP header. */
struct packet {
	__u32 payload_offset;
	__u32 payload_bytes;
	__u32 sequence;    /* TCP's, of the first byte of the payload */
	__u16 source_port; /* host byte order */
	__u16 destination_port;
	__u8 family;
	__u8 protocol;
	__u8 is_syn;
	__u8 direction;
};

/* The verifier keeps what it calls a socket from being read as the kernel's own; a copy is a number. */
static __always_inline const struct sock *socket_of(struct __sk_buff *skb)
{
	__u64 typed = skb->sk, plain = 0;

	bpf_probe_read_kernel(&plain, sizeof(plain), &typed);
	return (const void *)plain;
}

/* 53, or what --port says. */
static __always_inline bool is_dns_port(__u16 source, __u16 destination)
{
	if (config.port_count)
		return port_passes(source, destination);
	return source == DNS_PORT || destination == DNS_PORT;
}

/*
 * The kernel has the headers that it reads here in the packet's linear part. IPv6 extension headers
 * are not looked through.
 */
static __always_inline bool is_dns(struct __sk_buff *skb, struct packet *packet)
{
	const __u8 *ip = (void *)(long)skb->data;
	const void *end = (void *)(long)skb->data_end;
	const __u8 *transport;
	__u32 offset;

	if ((void *)(ip + IP_BYTES) > end)
		return false;
	if (ip[0] >> 4 == 4) {
		packet->family = AF_INET;
		packet->protocol = ip[9];
		offset = (ip[0] & 0x0f) * 4;
	} else {
		packet->family = AF_INET6;
		packet->protocol = ip[6];
		offset = IPV6_BYTES;
	}
	if (packet->protocol != IPPROTO_UDP && packet->protocol != IPPROTO_TCP)
		return false;
	transport = ip + offset;
	if ((void *)(transport + UDP_BYTES) > end)
		return false;
	packet->source_port = bpf_ntohs(*(const __be16 *)transport);
	packet->destination_port = bpf_ntohs(*(const __be16 *)(transport + 2));
	if (!is_dns_port(packet->source_port, packet->destination_port))
		return false;

	if (packet->protocol == IPPROTO_UDP) {
		packet->is_syn = 0;
		packet->payload_offset = offset + UDP_BYTES;
	} else {
		if ((void *)(transport + TCP_BYTES) > end)
			return false;
		packet->sequence = bpf_ntohl(*(const __be32 *)(transport + 4));
		packet->is_syn = transport[13] & TCP_SYN;
		packet->payload_offset = offset + (transport[12] >> 4) * 4;
	}
	packet->payload_bytes =
		skb->len > packet->payload_offset ? skb->len - packet->payload_offset : 0;
	return true;
}

/* What is needed of a packet when its payload was found, as a number. */
static __always_inline __u64 packed(const struct packet *packet)
{
	return (__u64)packet->source_port << 48 | (__u64)packet->destination_port << 32 |
	       (__u64)packet->direction << 16 | packet->protocol << 8 | packet->family;
}

static __always_inline struct packet unpacked(__u64 packed)
{
	struct packet packet = {
		.source_port = packed >> 48,
		.destination_port = packed >> 32,
		.direction = packed >> 16,
		.protocol = packed >> 8,
		.family = packed,
	};

	return packet;
}

#endif
