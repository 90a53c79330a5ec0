/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Is a packet a datagram of UDP? What every packet of the machine pays is `is_udp`, up to its protocol. */
#ifndef CHANDRA_UDP_PACKET_H
#define CHANDRA_UDP_PACKET_H

#include "event.h"

#define UDP_BYTES  8
#define IP_BYTES   20
#define IPV6_BYTES 40

enum direction {
	EGRESS,
	INGRESS,
};

/* One datagram, or several that travel as one (UDP_SEGMENT, UDP_GRO), with its ends as a socket has them. */
struct packet {
	__u64 datagrams;
	__u64 bytes; /* of their payloads */
	__u8 local_address[16];
	__u8 peer_address[16];
	__u16 local_port; /* host byte order */
	__u16 peer_port;
	__u8 family;
	__u8 direction;
	__u8 is_first;    /* of its conversation */
	__u8 one_in_log2; /* of a conversation that begins with it */
};

/* The verifier keeps what it calls a socket from being read as the kernel's own; a copy is a number. */
static __always_inline const struct sock *plain(const void *socket)
{
	const void *typed = socket;
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &typed);
	return (const void *)number;
}

/*
 * The kernel has the headers that it reads here in the packet's linear part. IPv6 extension headers are
 * not looked through.
 */
static __always_inline bool is_udp(struct __sk_buff *skb, struct packet *packet)
{
	const __u8 *ip = (void *)(long)skb->data;
	const void *end = (void *)(long)skb->data_end;
	const __u8 *transport, *source, *destination;
	bool is_sent = packet->direction == EGRESS;
	__u16 source_port, destination_port;
	__u32 offset;

	if ((void *)(ip + IP_BYTES) > end)
		return false;
	if (ip[0] >> 4 == 4) {
		if (ip[9] != IPPROTO_UDP)
			return false;
		packet->family = AF_INET;
		offset = (ip[0] & 0x0f) * 4;
		source = is_sent ? ip + 12 : ip + 16;
		destination = is_sent ? ip + 16 : ip + 12;
		__builtin_memcpy(packet->local_address, source, 4);
		__builtin_memcpy(packet->peer_address, destination, 4);
	} else {
		if (ip[6] != IPPROTO_UDP || (void *)(ip + IPV6_BYTES) > end)
			return false;
		packet->family = AF_INET6;
		offset = IPV6_BYTES;
		source = is_sent ? ip + 8 : ip + 24;
		destination = is_sent ? ip + 24 : ip + 8;
		__builtin_memcpy(packet->local_address, source, 16);
		__builtin_memcpy(packet->peer_address, destination, 16);
	}
	transport = ip + offset;
	if ((void *)(transport + UDP_BYTES) > end)
		return false;
	source_port = bpf_ntohs(*(const __be16 *)transport);
	destination_port = bpf_ntohs(*(const __be16 *)(transport + 2));
	packet->local_port = is_sent ? source_port : destination_port;
	packet->peer_port = is_sent ? destination_port : source_port;
	offset += UDP_BYTES;
	packet->bytes = skb->len > offset ? skb->len - offset : 0;
	packet->datagrams = skb->gso_segs ? skb->gso_segs : 1;
	return true;
}

struct place {
	__u8 address[16];
	__u16 port; /* host byte order */
	__u16 family;
	__u32 padding;
};

/* The address that a thread named when it sent last, and through which socket. */
struct named {
	__u64 socket_cookie;
	struct place place;
};

/* By thread. Bytes: about 110 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct named);
} names SEC(".maps");

static __always_inline __u32 current_thread(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, pid);
}

static __always_inline bool is_peer(const struct packet *packet, const struct place *place)
{
	const __u64 *is = (const __u64 *)packet->peer_address;
	const __u64 *named = (const __u64 *)place->address;

	return packet->peer_port == place->port && is[0] == named[0] && is[1] == named[1];
}

/*
 * The peer of what is sent is the one that the call named, which may not be the one that the packet goes to by
 * now (NAT). A call without a name sends to the peer of a connected socket; one that names another, which the
 * packet then goes to, goes before. True where it is known.
 */
static __always_inline bool ask_call(__u64 cookie, bool is_connected, struct packet *packet)
{
	__u32 thread = current_thread();
	const struct named *named = bpf_map_lookup_elem(&names, &thread);

	if (!named || named->socket_cookie != cookie || named->place.family != packet->family)
		return false;
	if (is_connected)
		return is_peer(packet, &named->place);
	__builtin_memcpy(packet->peer_address, named->place.address, 16);
	packet->peer_port = named->place.port;
	return true;
}

/*
 * Addresses as the socket's owner knows them, where the socket says them: below it, NAT may have changed the
 * packet's already.
 */
static __noinline void ask_socket(const struct bpf_sock *sk, __u64 cookie, struct packet *packet)
{
	__u16 peer_port = bpf_ntohs((__be16)sk->dst_port);
	struct place place = {};

	if (sk->src_port)
		packet->local_port = sk->src_port;
	if (packet->family == AF_INET) {
		__be32 own = sk->src_ip4, peer = sk->dst_ip4;

		if (own)
			__builtin_memcpy(packet->local_address, &own, 4);
		__builtin_memcpy(place.address, &peer, 4);
	} else {
		__be32 own[4] = { sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3] };
		__be32 peer[4] = { sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3] };

		if (own[0] | own[1] | own[2] | own[3])
			__builtin_memcpy(packet->local_address, own, 16);
		__builtin_memcpy(place.address, peer, 16);
	}
	place.port = peer_port;
	if (!peer_port) {
		if (packet->direction == EGRESS)
			ask_call(cookie, false, packet);
		return;
	}
	/* Only one that goes elsewhere is worth asking of. */
	if (is_peer(packet, &place) ||
	    (packet->direction == EGRESS && ask_call(cookie, true, packet)))
		return;
	__builtin_memcpy(packet->peer_address, place.address, 16);
	packet->peer_port = place.port;
}

#endif
