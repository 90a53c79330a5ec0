/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Messages of ICMP and ICMPv6, as they come in and as they leave. See README.md for what each rung sees,
 * and for its cost.
 *
 * Programs on packets may be preempted by one another on the same CPU, so nothing of a message is kept in
 * per-CPU memory: a record is made on the stack.
 */
#include "budget.h"
#include "owner.h"

EXPORT(enum, icmp_kind);
EXPORT(enum, icmp_flag);
EXPORT(struct, icmp_record);

/* A flood costs no more than this. */
#define RECORDS_PER_SECOND 1000
#define SECOND_NS          1000000000ULL

struct pace_key {
	__u32 net_namespace;
	__u8 family;
	__u8 type;
	__u8 is_sent;
	__u8 padding;
};

struct pace {
	__u64 since_ns;
	__u64 records;
};

/* Bytes: 80 x max_entries; the one that was not used for the longest time goes first. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct pace_key);
	__type(value, struct pace);
} paces SEC(".maps");

/* CPUs that ask at the very same moment may each get one more. */
static __noinline bool may_send(const struct icmp_record *record)
{
	struct pace_key key = {
		.net_namespace = record->net_namespace,
		.family = record->family,
		.type = record->type,
		.is_sent = (record->flags & ICMP_SENT) != 0,
	};
	struct pace first = { .since_ns = record->time_ns, .records = 1 }, *pace;

	pace = bpf_map_lookup_elem(&paces, &key);
	if (!pace) {
		bpf_map_update_elem(&paces, &key, &first, BPF_ANY);
		return true;
	}
	if (record->time_ns - pace->since_ns >= SECOND_NS) {
		pace->since_ns = record->time_ns;
		pace->records = 0;
	}
	if (pace->records >= RECORDS_PER_SECOND)
		return false;
	__sync_fetch_and_add(&pace->records, 1);
	return true;
}

static __noinline void count(const struct icmp_record *record)
{
	struct group_key key = {};

	if (record->flags & ICMP_OWNER_KNOWN)
		group_by_process(&key, &record->process);
	if (config.group_by & GROUP_KIND)
		key.kind = record->kind;
	if (config.group_by & GROUP_CODE)
		key.code = (__u32)record->family << 16 | (__u32)record->type << 8 | record->code;
	if (config.group_by & GROUP_NET_NAMESPACE)
		key.net_namespace = record->net_namespace;
	if (config.group_by & GROUP_PROTOCOL) {
		key.ethertype = record->family == AF_INET ? ETH_P_IP : ETH_P_IPV6;
		key.protocol = record->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	}
	group_by_addresses(&key, record->source_address, record->destination_address,
			   record->family);
	count_group(&key);
}

/* A message that was read; `claim` is its sender's, where that is a program. */
static __always_inline void tell(void *ctx, struct icmp_record *record, struct claim *claim)
{
	if (!wanted(record->kind))
		return;
	record->time_ns = bpf_ktime_get_boot_ns();
	if (record->kind == KIND_ICMP_ECHO)
		remember(record, claim);
	if (claim->is_known)
		record->flags |= ICMP_OWNER_KNOWN;
	COUNT(seen);
	if (!claim_passes(&record->process, claim))
		COUNT(filtered);
	else if (config.group_by)
		count(record);
	else if (claim->is_known && !is_within_budget(&record->process, record->time_ns))
		return;
	else if (!may_send(record))
		COUNT(rate_limited);
	else
		submit(ctx, record, sizeof(*record), record->time_ns);
}

/* As the kernel's functions for it get a message that came in. */
static __always_inline int on_received(void *ctx, const struct sk_buff *skb, __u8 family)
{
	struct claim claim = { .passes = nobody_passes() };
	struct icmp_record record = { .family = family };

	if (listens() && read_received(&record, skb))
		tell(ctx, &record, &claim);
	return 0;
}

/*
 * The kernel's own messages of IPv4 when nothing keeps them from being sent any more: `param` says what,
 * `flow` to whom. Before 5.18 the socket is not among the arguments, and the route comes fourth.
 */
static __always_inline int on_push(void *ctx, void *first, void *second, void *third, void *fourth)
{
	bool has_socket = !bpf_core_field_exists(struct netns_ipv4, icmp_sk);
	const struct icmp_bxm *param = has_socket ? second : first;
	const struct flowi4 *flow = has_socket ? third : second;
	struct icmp_record record = { .family = AF_INET, .flags = ICMP_SENT | ICMP_SOURCE_KNOWN };
	struct claim claim = { .passes = nobody_passes() };
	struct icmp_header header;
	const struct sk_buff *cause;

	if (!listens())
		return 0;
	BPF_CORE_READ_INTO(&header, param, data.icmph);
	take_header(&record, &header);
	*(__u32 *)record.source_address = BPF_CORE_READ(flow, saddr);
	*(__u32 *)record.destination_address = BPF_CORE_READ(flow, daddr);
	record.message_bytes = BPF_CORE_READ(param, head_len) + BPF_CORE_READ(param, data_len);
	if (has_socket) {
		const struct sock *sk = first;

		record.net_namespace = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	} else {
		const struct rtable *route = NULL;

		bpf_probe_read_kernel(&route, sizeof(route), fourth);
		record.net_namespace = BPF_CORE_READ(route, dst.dev, nd_net.net, ns.inum);
	}
	cause = BPF_CORE_READ(param, skb);
	capture(&record, cause, BPF_CORE_READ(cause, network_header));
	tell(ctx, &record, &claim);
	return 0;
}

/* The same of IPv6, and what a program's ping socket sends. The message waits in the socket's queue. */
static __always_inline int on_push_v6(void *ctx, const struct sock *sk, const struct flowi6 *flow,
				      const void *start, __u32 bytes)
{
	struct icmp_record record = { .family = AF_INET6, .flags = ICMP_SENT | ICMP_SOURCE_KNOWN };
	struct claim claim = { .passes = nobody_passes() };
	const struct sk_buff *skb;
	struct icmp_header header;

	if (!listens() || bpf_probe_read_kernel(&header, sizeof(header), start))
		return 0;
	take_header(&record, &header);
	BPF_CORE_READ_INTO(&record.source_address, flow, saddr);
	BPF_CORE_READ_INTO(&record.destination_address, flow, daddr);
	record.message_bytes = bytes;
	record.net_namespace = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	skb = BPF_CORE_READ(sk, sk_write_queue.next);
	capture(&record, skb, BPF_CORE_READ(skb, transport_header) + ICMP_BYTES);
	if (is_of_program(sk)) {
		own(&record, &claim);
		record.socket_cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	}
	tell(ctx, &record, &claim);
	return 0;
}

/* The destination is an address of this machine's own. */
#define RTCF_LOCAL 0x80000000u

/*
 * An error of IPv4 that leaves, by the packet that caused it. Where that was for this machine, the error
 * comes from the address it was for; else from one that only routing knows.
 */
static __always_inline int on_send(void *ctx, const struct sk_buff *cause, __u8 type, __u8 code)
{
	struct icmp_record record = {
		.family = AF_INET,
		.flags = ICMP_SENT,
		.type = type,
		.code = code,
		.kind = KIND_ICMP_ERROR,
	};
	struct claim claim = { .passes = nobody_passes() };
	const struct rtable *route;

	if (!listens())
		return 0;
	/* The lowest bit says who counts the reference. */
	route = (const void *)(BPF_CORE_READ(cause, _skb_refdst) & ~1UL);
	record.net_namespace = BPF_CORE_READ(route, dst.dev, nd_net.net, ns.inum);
	capture(&record, cause, BPF_CORE_READ(cause, network_header));
	if (record.captured_bytes < IPV4_BYTES)
		return 0;
	__builtin_memcpy(record.destination_address, record.data + 12, 4);
	if (BPF_CORE_READ(route, rt_flags) & RTCF_LOCAL) {
		__builtin_memcpy(record.source_address, record.data + 16, 4);
		record.flags |= ICMP_SOURCE_KNOWN;
	}
	tell(ctx, &record, &claim);
	return 0;
}

#define PASS 1

/* The verifier keeps what it calls a socket from being read as the kernel's own; a copy is a number. */
static __always_inline const struct sock *socket_of(struct __sk_buff *skb)
{
	__u64 typed = skb->sk, plain = 0;

	bpf_probe_read_kernel(&plain, sizeof(plain), &typed);
	return (const void *)plain;
}

static __always_inline void read_packet(struct __sk_buff *skb, struct icmp_record *record,
					__u32 offset)
{
	__u32 bytes = skb->len > offset + ICMP_BYTES ? skb->len - offset - ICMP_BYTES : 0;
	__u32 least = 1;

	if (record->family == AF_INET) {
		bpf_skb_load_bytes(skb, 12, record->source_address, 4);
		bpf_skb_load_bytes(skb, 16, record->destination_address, 4);
	} else {
		bpf_skb_load_bytes(skb, 8, record->source_address, 16);
		bpf_skb_load_bytes(skb, 24, record->destination_address, 16);
	}
	if (!(record->flags & ICMP_SENT))
		bpf_skb_load_bytes(skb, record->family == AF_INET ? 8 : 7, &record->hop_limit, 1);
	record->message_bytes = skb->len - offset;
	record->interface_index = skb->ifindex;
	if (record->kind != KIND_ICMP_ERROR)
		return;
	if (bytes > DATA_BYTES)
		bytes = DATA_BYTES;
	/* Older verifiers learn nothing from a comparison with zero. */
	barrier_on(bytes);
	barrier_on(least);
	if (bytes < least || bytes > DATA_BYTES)
		return;
	if (!bpf_skb_load_bytes(skb, offset + ICMP_BYTES, record->data, bytes))
		record->captured_bytes = bytes;
}

/* A message at `offset` in a packet that a socket sends or gets. */
static __noinline int on_message(struct __sk_buff *skb, __u32 family, __u32 offset, __u32 flags)
{
	struct icmp_record record = { .family = family, .flags = flags | ICMP_SOURCE_KNOWN };
	struct claim claim = { .passes = nobody_passes() };
	struct icmp_header header;
	const struct sock *sk;

	if (!listens() || !skb->sk || bpf_skb_load_bytes(skb, offset, &header, sizeof(header)))
		return 0;
	take_header(&record, &header);
	read_packet(skb, &record, offset);
	sk = socket_of(skb);
	record.net_namespace = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (is_of_program(sk)) {
		record.socket_cookie = bpf_get_socket_cookie(skb);
		if (flags & ICMP_SENT)
			own(&record, &claim);
	}
	tell(skb, &record, &claim);
	return 0;
}

/*
 * What every packet of every socket pays. The kernel has the header of IP in the packet's linear part;
 * IPv6 extension headers are not looked through.
 */
static __always_inline int on_packet(struct __sk_buff *skb, __u32 flags)
{
	const __u8 *ip = (void *)(long)skb->data;
	const void *end = (void *)(long)skb->data_end;

	if ((void *)(ip + IPV4_BYTES) > end)
		return PASS;
	if (ip[0] >> 4 == 4) {
		if (ip[9] == IPPROTO_ICMP)
			on_message(skb, AF_INET, (ip[0] & 0x0f) * 4, flags);
	} else if (ip[6] == IPPROTO_ICMPV6) {
		on_message(skb, AF_INET6, IPV6_BYTES, flags);
	}
	return PASS;
}

SEC("cgroup_skb/egress")
int icmp_egress(struct __sk_buff *skb)
{
	return on_packet(skb, ICMP_SENT);
}

SEC("cgroup_skb/ingress")
int icmp_ingress(struct __sk_buff *skb)
{
	return on_packet(skb, 0);
}

/* Each function by both ways. */
#define FUNCTION(WAY, way)                                                                       \
	SEC(#way "/icmp_rcv")                                                                    \
	int WAY(icmp_rcv_##way, struct sk_buff *skb)                                             \
	{                                                                                        \
		return on_received(ctx, skb, AF_INET);                                           \
	}                                                                                        \
	SEC(#way "/icmpv6_rcv")                                                                  \
	int WAY(icmpv6_rcv_##way, struct sk_buff *skb)                                           \
	{                                                                                        \
		return on_received(ctx, skb, AF_INET6);                                          \
	}                                                                                        \
	SEC(#way "/icmp_push_reply")                                                             \
	int WAY(icmp_push_##way, void *first, void *second, void *third, void *fourth)           \
	{                                                                                        \
		return on_push(ctx, first, second, third, fourth);                               \
	}                                                                                        \
	SEC(#way "/icmpv6_push_pending_frames")                                                  \
	int WAY(icmpv6_push_##way, struct sock *sk, struct flowi6 *flow, void *start, int bytes) \
	{                                                                                        \
		return on_push_v6(ctx, sk, flow, start, bytes);                                  \
	}

FUNCTION(BPF_PROG, fentry)
FUNCTION(BPF_KPROBE, kprobe)

SEC("tp_btf/icmp_send")
int BPF_PROG(icmp_send_btf, const struct sk_buff *cause, int type, int code)
{
	return on_send(ctx, cause, type, code);
}

SEC("raw_tp/icmp_send")
int BPF_PROG(icmp_send_raw, const struct sk_buff *cause, int type, int code)
{
	return on_send(ctx, cause, type, code);
}
