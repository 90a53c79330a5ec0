/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a packet says of itself, read from its buffer wherever on its way it is. Nothing of a buffer is
 * certain: header offsets may be unset, headers may lie outside of its linear part, and its fields share
 * memory with others'. What cannot be read with certainty is left out.
 */
#ifndef CHANDRA_DROP_PACKET_H
#define CHANDRA_DROP_PACKET_H

#include "event.h"

/* RFC 791, RFC 8200 and their extension headers, as they lie in a packet. */
struct ipv4_header {
	__u8 version_and_words;
	__u8 service;
	__be16 total_bytes;
	__be16 identification;
	__be16 fragment;
	__u8 time_to_live;
	__u8 protocol;
	__sum16 checksum;
	__u8 source[4];
	__u8 destination[4];
};
struct ipv6_header {
	__u8 version_and_class[4];
	__be16 payload_bytes;
	__u8 next;
	__u8 hop_limit;
	__u8 source[16];
	__u8 destination[16];
};
struct ipv6_extension {
	__u8 next;
	__u8 length;
	__be16 fragment;
	__u8 rest[4];
};
struct vlan_tag {
	__be16 control;
	__be16 ethertype;
};

/* One at a time. */
union headers {
	struct ipv4_header ipv4;
	struct ipv6_header ipv6;
	struct ipv6_extension extension;
	struct vlan_tag vlan;
};

#define IPV4_MORE_OR_OFFSET 0x3fff
#define IPV4_OFFSET         0x1fff
#define IPV6_OFFSET         0xfff8
/* More of either are left unread. */
#define VLAN_TAGS       2
#define IPV6_EXTENSIONS 6

/* Where in the buffer the next header begins; 0: there is none, or none that can be read. */
struct cursor {
	const unsigned char *head;
	__u32 offset;
	__u32 end;
};

static __always_inline bool take(const struct cursor *at, void *header, __u32 bytes)
{
	if (!at->offset || at->offset + bytes > at->end)
		return false;
	return !bpf_probe_read_kernel(header, bytes, at->head + at->offset);
}

static __always_inline void read_ipv4(struct cursor *at, struct ipv4_header *header,
				      struct drop_record *record)
{
	__u16 fragment;

	if (!take(at, header, sizeof(*header)) || header->version_and_words >> 4 != 4) {
		at->offset = 0;
		return;
	}
	record->family = AF_INET;
	record->protocol = header->protocol;
	record->flags |= DROP_ADDRESSES_KNOWN | DROP_PROTOCOL_KNOWN;
	__builtin_memcpy(record->source_address, header->source, 4);
	__builtin_memcpy(record->destination_address, header->destination, 4);
	fragment = bpf_ntohs(header->fragment);
	if (fragment & IPV4_MORE_OR_OFFSET)
		record->flags |= DROP_IS_FRAGMENT;
	if (fragment & IPV4_OFFSET)
		at->offset = 0;
	else
		at->offset += (header->version_and_words & 0xf) * 4;
}

static __always_inline bool is_extension(__u8 next)
{
	return next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_FRAGMENT ||
	       next == IPPROTO_AH || next == IPPROTO_DSTOPTS || next == IPPROTO_MH;
}

/* `record->protocol` is that of the header at the cursor; afterwards it is none of an extension. */
static __always_inline void skip_extensions(struct cursor *at, struct ipv6_extension *header,
					    struct drop_record *record)
{
	for (int i = 0; i < IPV6_EXTENSIONS; i++) {
		__u8 kind = record->protocol;

		if (!is_extension(kind))
			return;
		if (!take(at, header, sizeof(*header)))
			break;
		record->protocol = header->next;
		if (kind == IPPROTO_FRAGMENT) {
			record->flags |= DROP_IS_FRAGMENT;
			at->offset += sizeof(*header);
			if (bpf_ntohs(header->fragment) & IPV6_OFFSET) {
				at->offset = 0;
				return;
			}
		} else if (kind == IPPROTO_AH) {
			at->offset += (header->length + 2) * 4;
		} else {
			at->offset += (header->length + 1) * 8;
		}
	}
	/* Cut off, or too many: the protocol behind them is not known. */
	if (is_extension(record->protocol)) {
		record->flags &= ~DROP_PROTOCOL_KNOWN;
		record->protocol = 0;
		at->offset = 0;
	}
}

static __always_inline void read_ipv6(struct cursor *at, union headers *headers,
				      struct drop_record *record)
{
	struct ipv6_header *header = &headers->ipv6;

	if (!take(at, header, sizeof(*header)) || header->version_and_class[0] >> 4 != 6) {
		at->offset = 0;
		return;
	}
	record->family = AF_INET6;
	record->protocol = header->next;
	record->flags |= DROP_ADDRESSES_KNOWN | DROP_PROTOCOL_KNOWN;
	__builtin_memcpy(record->source_address, header->source, 16);
	__builtin_memcpy(record->destination_address, header->destination, 16);
	at->offset += sizeof(*header);
	skip_extensions(at, &headers->extension, record);
}

/* From the network header on; the cursor then is at what IP carries. */
static __always_inline void read_network(const struct sk_buff *skb, struct cursor *at,
					 union headers *headers, struct drop_record *record)
{
	struct vlan_tag *tag = &headers->vlan;

	at->head = BPF_CORE_READ(skb, head);
	at->end = BPF_CORE_READ(skb, tail);
	at->offset = BPF_CORE_READ(skb, network_header);
	record->ethertype = bpf_ntohs(BPF_CORE_READ(skb, protocol));
	record->length_bytes = BPF_CORE_READ(skb, len);
	for (int i = 0; i < VLAN_TAGS; i++) {
		if (record->ethertype != ETH_P_8021Q && record->ethertype != ETH_P_8021AD)
			break;
		if (!take(at, tag, sizeof(*tag)))
			break;
		record->ethertype = bpf_ntohs(tag->ethertype);
		at->offset += sizeof(*tag);
	}
	if (record->ethertype == ETH_P_IP)
		read_ipv4(at, &headers->ipv4, record);
	else if (record->ethertype == ETH_P_IPV6)
		read_ipv6(at, headers, record);
	else
		at->offset = 0;
}

static __always_inline void read_ports(const struct cursor *at, struct drop_record *record)
{
	__be16 ports[2];

	if (!take(at, ports, sizeof(ports)))
		return;
	record->source_port = bpf_ntohs(ports[0]);
	record->destination_port = bpf_ntohs(ports[1]);
	record->flags |= DROP_PORTS_KNOWN;
}

/* What IP carries, where that has been found. */
static __always_inline void read_transport(const struct cursor *at, struct drop_record *record)
{
	struct cursor flags = *at;
	__u8 type_and_code[2];

	if (!at->offset)
		return;
	switch (record->protocol) {
	case IPPROTO_TCP:
		read_ports(at, record);
		flags.offset += 13;
		if (take(&flags, &record->tcp_flags, 1))
			record->flags |= DROP_TCP_FLAGS_KNOWN;
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		read_ports(at, record);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (!take(at, type_and_code, sizeof(type_and_code)))
			break;
		record->icmp_type = type_and_code[0];
		record->icmp_code = type_and_code[1];
		record->flags |= DROP_ICMP_KNOWN;
		break;
	default:
		break;
	}
}

/* Numbers of network namespaces begin here (include/uapi/linux/nsfs.h, include/linux/proc_fs.h). */
#define FIRST_NAMESPACE 0xeffffff0u

static __always_inline __u32 namespace_of(const struct net *net)
{
	__u32 inode = BPF_CORE_READ(net, ns.inum);

	return inode >= FIRST_NAMESPACE ? inode : 0;
}

/*
 * Where a packet is. The field for its device holds other things in packets that wait in a socket, so
 * it counts only where it leads to a network namespace.
 */
static __always_inline void read_place(const struct sk_buff *skb, const struct sock *sk,
				       struct drop_record *record)
{
	const struct net_device *device = BPF_CORE_READ(skb, dev);
	__u32 received_by = BPF_CORE_READ(skb, skb_iif);

	record->net_namespace = namespace_of(BPF_CORE_READ(device, nd_net.net));
	record->interface_index = received_by;
	if (received_by)
		record->flags |= DROP_WAS_RECEIVED;
	if (record->net_namespace) {
		record->interface_index = BPF_CORE_READ(device, ifindex);
		bpf_core_read(record->interface_name, sizeof(record->interface_name),
			      &device->name);
		return;
	}
	record->net_namespace = namespace_of(BPF_CORE_READ(sk, __sk_common.skc_net.net));
	if (!record->net_namespace && bpf_core_field_exists(struct dst_entry, dev)) {
		/* The lowest bit says who counts the reference. */
		const struct dst_entry *dst =
			(const void *)(BPF_CORE_READ(skb, _skb_refdst) & ~1UL);

		record->net_namespace = namespace_of(BPF_CORE_READ(dst, dev, nd_net.net));
	}
}

/* An IPv4 address within an IPv6 one (RFC 4291). */
static __always_inline bool is_mapped(const __u8 *address)
{
	const __u32 *words = (const __u32 *)address;

	return !words[0] && !words[1] && words[2] == bpf_htonl(0xffff);
}

/* A packet that was given up before it had any header: what its sender's socket says. */
static __always_inline void read_sender(const struct sock *sk, struct drop_record *record)
{
	__u16 port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));

	if (!port)
		return;
	record->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	record->source_port = bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
	record->destination_port = port;
	record->protocol = BPF_CORE_READ(sk, sk_protocol);
	record->flags |= DROP_ADDRESSES_KNOWN | DROP_PORTS_KNOWN | DROP_PROTOCOL_KNOWN;
	if (record->family == AF_INET6) {
		BPF_CORE_READ_INTO(&record->source_address, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&record->destination_address, sk, __sk_common.skc_v6_daddr);
		record->ethertype = ETH_P_IPV6;
		if (!is_mapped(record->destination_address))
			return;
		record->family = AF_INET;
	}
	record->ethertype = ETH_P_IP;
	*(__u32 *)record->source_address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	*(__u32 *)record->destination_address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
}

#endif
