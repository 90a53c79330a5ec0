/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * DNS messages, at the sockets that send and receive them. See README.md for hooks and their cost.
 *
 * A packet is always let through: every program returns PASS.
 *
 * These programs may be preempted by one another on the same CPU, so nothing of a message is kept in
 * per-CPU memory: a record is made on the stack, and its message goes straight into the ring.
 */
#include "budget.h"
#include "claim.h"
#include "stream.h"

EXPORT(enum, dns_kind);
EXPORT(enum, dns_flag);
EXPORT(struct, dns_record);

#define PASS 1

/* No response code of any message: a query has none. */
#define NO_CODE ((__u32)-1)

/* Who has a socket. */
struct owner {
	struct process process;
	struct claim claim;
};

/*
 * Who sent through a socket last, by its cookie: what arrives there is theirs. Bytes: about 130 x
 * max_entries; the one that was not used for the longest time goes first.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct owner);
} owners SEC(".maps");

/*
 * A server has many clients behind one socket, which may all use the same number, so its key has the peer.
 * A client's has not: where addresses are translated, the answer may come from another.
 */
struct query_key {
	__u64 socket_cookie;
	__u8 peer_address[16];
	__u16 peer_port;
	__u16 id;
	__u32 is_server;
};

struct query {
	struct owner owner;
	__u64 time_ns;
};

/* Queries that wait for their answer. Bytes: about 190 x max_entries; unanswered ones age out. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct query_key);
	__type(value, struct query);
} queries SEC(".maps");

/*
 * Whether the current task is the one that sends. A datagram is always sent by its task; TCP also
 * sends when an acknowledgement comes, and then no task holds the socket.
 */
static __always_inline bool is_sent_by_task(const struct sock *sk, const struct packet *packet)
{
	if (packet->direction != EGRESS)
		return false;
	return packet->protocol == IPPROTO_UDP || BPF_CORE_READ(sk, sk_lock.owned) != 0;
}

/* The current task's is the message. */
static __noinline void own(struct dns_record *record, struct claim *claim)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	claim_for(task, &record->process, claim);
}

/*
 * Addresses as the socket's owner knows them, where the socket says them: below it, NAT may have
 * changed the packet's already.
 */
static __noinline void read_ends(struct __sk_buff *skb, const struct packet *packet,
				 struct dns_record *record)
{
	const struct sock *sk = socket_of(skb);
	__u32 addresses = packet->family == AF_INET ? 12 : 8; /* where they are in the IP header */
	__u32 bytes = packet->family == AF_INET ? 4 : 16;
	__u32 local = packet->direction == EGRESS ? 0 : bytes;
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);

	record->family = packet->family;
	if (packet->family == AF_INET) {
		__be32 own = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		__be32 peer = BPF_CORE_READ(sk, __sk_common.skc_daddr);

		bpf_skb_load_bytes(skb, addresses + local, record->local_address, 4);
		bpf_skb_load_bytes(skb, addresses + 4 - local, record->peer_address, 4);
		if (own)
			*(__u32 *)record->local_address = own;
		if (peer)
			*(__u32 *)record->peer_address = peer;
	} else {
		struct in6_addr own = BPF_CORE_READ(sk, __sk_common.skc_v6_rcv_saddr);
		struct in6_addr peer = BPF_CORE_READ(sk, __sk_common.skc_v6_daddr);
		const __u64 *own_words = (const void *)&own, *peer_words = (const void *)&peer;

		bpf_skb_load_bytes(skb, addresses + local, record->local_address, 16);
		bpf_skb_load_bytes(skb, addresses + 16 - local, record->peer_address, 16);
		if (own_words[0] | own_words[1])
			__builtin_memcpy(record->local_address, &own, 16);
		if (peer_words[0] | peer_words[1])
			__builtin_memcpy(record->peer_address, &peer, 16);
	}
	record->local_port =
		packet->direction == EGRESS ? packet->source_port : packet->destination_port;
	record->peer_port =
		packet->direction == EGRESS ? packet->destination_port : packet->source_port;
	/* A raw socket's number is not a port. */
	if (protocol == packet->protocol) {
		__u16 own = BPF_CORE_READ(sk, __sk_common.skc_num);
		__u16 peer = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));

		if (own)
			record->local_port = own;
		if (peer)
			record->peer_port = peer;
	}
	record->net_namespace = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
}

static __noinline void count(const struct dns_record *record, __u32 code)
{
	struct group_key key = {};

	if (record->flags & DNS_OWNER_KNOWN)
		group_by_process(&key, &record->process);
	if (config.group_by & GROUP_KIND)
		key.kind = record->kind;
	group_by_addresses(&key, record->local_address, record->peer_address, record->family);
	group_by_ports(&key, record->local_port, record->peer_port);
	if (config.group_by & GROUP_CODE)
		key.code = code;
	count_group(&key);
}

/* A place in the ring must have a size that the verifier knows: the smallest that is large enough. */
#define SEND_IN(capacity)                                                        \
	({                                                                       \
		struct place {                                                   \
			struct dns_record record;                                \
			__u8 message[capacity];                                  \
		} *place = bpf_ringbuf_reserve(&events, sizeof(*place), 0);      \
		__u32 captured = record->captured_bytes;                         \
                                                                                 \
		if (!place) {                                                    \
			COUNT(lost);                                             \
			return;                                                  \
		}                                                                \
		barrier_on(captured);                                            \
		if (captured < HEADER_BYTES || captured > (capacity) ||          \
		    bpf_skb_load_bytes(skb, offset, place->message, captured)) { \
			bpf_ringbuf_discard(place, BPF_RB_NO_WAKEUP);            \
			COUNT(lost);                                             \
			return;                                                  \
		}                                                                \
		place->record = *record;                                         \
		submitted(place, record->time_ns);                               \
	})

static __always_inline void submitted(void *place, __u64 now)
{
	__u64 flags = wake_flags(now);

	bpf_ringbuf_submit(place, flags);
	if (flags == BPF_RB_FORCE_WAKEUP)
		last_wake_ns = now;
	COUNT(submitted);
}

/* Sends a record with as much of its message as is captured; that is at `offset` in the packet. */
static __always_inline void send(struct __sk_buff *skb, struct dns_record *record, __u32 offset)
{
	if (config.use_perf_buffer) {
		/* The kernel itself appends the packet, from its first byte on. */
		__u64 bytes = offset + record->captured_bytes;

		record->message_offset = offset;
		if (bpf_perf_event_output(skb, &events, BPF_F_CURRENT_CPU | bytes << 32, record,
					  sizeof(*record)))
			COUNT(lost);
		else
			COUNT(submitted);
	} else if (record->captured_bytes <= 128) {
		SEND_IN(128);
	} else if (record->captured_bytes <= 512) {
		SEND_IN(512);
	} else if (record->captured_bytes <= 1232) {
		SEND_IN(1232);
	} else {
		SEND_IN(CAPTURE_BYTES);
	}
}

static __always_inline void take(struct dns_record *record, struct claim *claim,
				 const struct owner *owner)
{
	record->process = owner->process;
	*claim = owner->claim;
}

/*
 * Keeps who sends and what is asked, and finds them again: whose a message is that came in an interrupt,
 * and how long an answer took.
 */
static __noinline void remember(struct dns_record *record, struct claim *claim, __u32 id)
{
	struct query_key key = { .socket_cookie = record->socket_cookie, .id = id };
	const struct owner *owner = bpf_map_lookup_elem(&owners, &key.socket_cookie);
	struct query query = {};
	const struct query *asked;

	key.is_server = record->flags & DNS_SERVER;
	if (key.is_server) {
		__builtin_memcpy(key.peer_address, record->peer_address, 16);
		key.peer_port = record->peer_port;
	}
	if (!claim->is_known && owner)
		take(record, claim, owner);
	query.owner.process = record->process;
	query.owner.claim = *claim;
	query.time_ns = record->time_ns;
	if (claim->is_known &&
	    (!owner || owner->process.pid != record->process.pid ||
	     owner->process.start_boottime_ns != record->process.start_boottime_ns))
		bpf_map_update_elem(&owners, &key.socket_cookie, &query.owner, BPF_ANY);
	if (record->kind == KIND_DNS_QUERY) {
		bpf_map_update_elem(&queries, &key, &query, BPF_ANY);
		return;
	}
	asked = bpf_map_lookup_elem(&queries, &key);
	if (!asked)
		return;
	record->flags |= DNS_LATENCY_KNOWN;
	record->latency_ns = record->time_ns - asked->time_ns;
	/* Of several processes that share a socket, the one that asked. */
	if (!key.is_server && asked->owner.claim.is_known)
		take(record, claim, &asked->owner);
	bpf_map_delete_elem(&queries, &key);
}

/*
 * A message of at least a header, at `offset`. A global function, which the verifier checks once and not
 * for every way that leads here; such a one takes numbers only (before 5.13), so the packet comes packed.
 */
__noinline int on_message(struct __sk_buff *skb, __u64 packed, __u32 offset, __u32 bytes,
			  __u32 available_bytes)
{
	const struct packet packet = unpacked(packed);
	struct dns_record record = {};
	struct claim claim = { .passes = nobody_passes() };
	__u8 header[4]; /* the number, and flags */
	bool is_response;

	if (!skb->sk || bpf_skb_load_bytes(skb, offset, header, sizeof(header)))
		return 0;
	is_response = header[2] & 0x80;
	record.kind = is_response ? KIND_DNS_RESPONSE : KIND_DNS_QUERY;
	record.time_ns = bpf_ktime_get_boot_ns();
	record.socket_cookie = bpf_get_socket_cookie(skb);
	if (is_response == (packet.direction == EGRESS))
		record.flags |= DNS_SERVER;
	if (packet.protocol == IPPROTO_TCP)
		record.flags |= DNS_TCP;
	record.message_bytes = bytes;
	record.captured_bytes = available_bytes < CAPTURE_BYTES ? available_bytes : CAPTURE_BYTES;
	read_ends(skb, &packet, &record);
	if (is_sent_by_task(socket_of(skb), &packet))
		own(&record, &claim);
	remember(&record, &claim, (__u32)header[0] << 8 | header[1]);
	if (claim.is_known)
		record.flags |= DNS_OWNER_KNOWN;
	if (!wanted(record.kind))
		return 0;
	COUNT(seen);
	if (!claim_passes(&record.process, &claim))
		COUNT(filtered);
	else if (config.group_by)
		count(&record, is_response ? header[3] & 0x0f : NO_CODE);
	else if (is_within_budget(&record.process, record.time_ns))
		send(skb, &record, offset);
	return 0;
}

static __always_inline void on_segment(struct __sk_buff *skb, const struct packet *packet)
{
	struct stream_key key = {
		.socket_cookie = bpf_get_socket_cookie(skb),
		.direction = packet->direction,
	};
	struct stream stream;
	__u32 left = packet->payload_bytes, offset = packet->payload_offset;
	__u32 bytes, available;

	if (!left || packet->is_syn || !find_stream(skb, &key, packet, &stream))
		return;
	for (int i = 0; i < MESSAGES_PER_SEGMENT && left; i++) {
		if (!take_length(skb, &stream, &offset, &left))
			break;
		bytes = stream.message_bytes;
		available = left < bytes ? left : bytes;
		if (available >= HEADER_BYTES)
			on_message(skb, packed(packet), offset, bytes, available);
		if (left) {
			offset += available;
			left -= available;
			stream.next = packet->sequence + (offset - packet->payload_offset) +
				      (bytes - available);
			stream.message_bytes = 0;
		}
	}
	if (left)
		bpf_map_delete_elem(&streams, &key);
	else
		bpf_map_update_elem(&streams, &key, &stream, BPF_ANY);
}

static __always_inline int on_packet(struct __sk_buff *skb, enum direction direction)
{
	struct packet packet = {};

	if (!is_dns(skb, &packet))
		return PASS;
	packet.direction = direction;
	if (!listens())
		return PASS;
	if (packet.protocol == IPPROTO_TCP) {
		on_segment(skb, &packet);
	} else if (packet.payload_bytes >= HEADER_BYTES) {
		on_message(skb, packed(&packet), packet.payload_offset, packet.payload_bytes,
			   packet.payload_bytes);
	}
	return PASS;
}

SEC("cgroup_skb/egress")
int dns_egress(struct __sk_buff *skb)
{
	return on_packet(skb, EGRESS);
}

SEC("cgroup_skb/ingress")
int dns_ingress(struct __sk_buff *skb)
{
	return on_packet(skb, INGRESS);
}
