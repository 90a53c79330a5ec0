/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of conversations. It is bounded, and none leaves it untold: where there is no room for a new
 * one, the one of eight that was quiet for the longest time is ended first, with its totals.
 *
 * Invariant: who deletes a conversation tells its end, once. The kernel says who did.
 */
#ifndef CHANDRA_UDP_CONVERSATION_H
#define CHANDRA_UDP_CONVERSATION_H

#include "governed.h"
#include "owner.h"

#define SLOTS   65536 /* a power of two */
#define WAYS    8     /* so many are looked at for the one that has to go */
#define NO_SLOT ((__u32)-1)

/* Of a socket with more conversations than this, the others are told by the next look through the table. */
#define CLOSED_AT_ONCE 16

struct conversation {
	struct udp_record record; /* as it would be told now */
	struct claim claim;
	struct conversation_key older; /* the conversation of the same socket that began before */
	__u64 told_ns;
	__u32 slot;
	__u32 has_older;
};

/*
 * Bytes: 330 for each conversation that there is; room for some more than there are slots, for processors that begin
 * one at a time.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SLOTS + 256);
	__type(key, struct conversation_key);
	__type(value, struct conversation);
} conversations SEC(".maps");

/* Which conversation has which slot, so that one can be found that has to go. Bytes: 32 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct conversation_key);
} slots SEC(".maps");

struct hand {
	struct bpf_spin_lock lock;
	__u32 next;
};

/* Where to look for a slot next. Bytes: 8. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hand);
} hands SEC(".maps");

/* Sockets that were closed with conversations left to tell. Bytes: 80 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} closed_sockets SEC(".maps");

/*
 * Conversations that are left out: until they end, or are quiet for longer than others, whatever is decided meanwhile.
 * Bytes: 110 x max_entries.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct conversation_key);
	__type(value, __u8);
} left_out SEC(".maps");

/* So that nobody who chooses addresses and ports chooses what is told. */
static __u32 seed;

/* Addresses and ports come again: in each of these, a second or so, they are drawn anew. */
#define ERA_LOG2_NS 30

static __always_inline __u64 spread_place(const __u8 address[16], __u16 port)
{
	const __u64 *words = (const __u64 *)address;

	return spread(spread(words[0] + port) + words[1]);
}

/*
 * Draws a conversation, by its ends, whichever of them this is, and the time: where both ends are here both are told, or
 * neither, but for one in a million or so, whose first datagram is on its way as an era ends.
 */
static __noinline __u32 draw(const struct conversation_key *key, const struct packet *packet)
{
	__u64 ends, era = bpf_ktime_get_boot_ns() >> ERA_LOG2_NS;
	__u8 one_in_log2, yes = 1;

	if (bpf_map_lookup_elem(&left_out, key))
		return LEFT_OUT;
	if (!seed)
		seed = bpf_get_prandom_u32() | 1;
	ends = spread_place(packet->local_address, packet->local_port) +
	       spread_place(packet->peer_address, packet->peer_port);
	one_in_log2 = draw_flow(spread(ends ^ spread(era + seed)));
	if (one_in_log2 == LEFT_OUT) {
		bpf_map_update_elem(&left_out, key, &yes, BPF_ANY);
		leave_out(KIND_UDP_OPEN);
	}
	return one_in_log2;
}

static __noinline void count(const struct udp_record *record)
{
	struct group_key key = {};

	if (record->flags & UDP_OWNER_KNOWN)
		group_by_process(&key, &record->process);
	if (config.group_by & GROUP_KIND)
		key.kind = record->kind;
	group_by_addresses(&key, record->local_address, record->peer_address, record->family);
	group_by_ports(&key, record->local_port, record->peer_port);
	if (config.group_by & GROUP_CODE)
		key.code = record->end;
	count_group_times(&key, 1u << (record->one_in_log2 & 31));
}

/* Sends a record of the conversation, or counts it; with an `end` it is over and forgotten. */
static __noinline void tell(void *ctx, const struct conversation_key *key,
			    const struct conversation *conversation, __u32 kind, __u32 end)
{
	struct udp_record record = conversation->record;
	struct claim claim = conversation->claim;
	const struct udp_socket *socket;

	if (end && bpf_map_delete_elem(&conversations, key))
		return;
	if (!wanted(kind))
		return;
	record.time_ns = bpf_ktime_get_boot_ns();
	record.kind = kind;
	record.end = end;
	socket = bpf_map_lookup_elem(&sockets, &record.socket_cookie);
	if (socket)
		record.socket_drops = socket->drops;
	COUNT(seen);
	if (!claim_passes(&record.process, &claim) ||
	    !port_passes(record.local_port, record.peer_port))
		COUNT(filtered);
	else if (config.group_by)
		count(&record);
	else if (is_within_budget(&record.process, record.time_ns))
		submit(ctx, &record, sizeof(record), record.time_ns);
}

/* A slot for a new conversation; whoever has it is ended. */
static __noinline __u32 make_room(void *ctx)
{
	__u32 zero = 0, first, chosen = NO_SLOT;
	struct hand *hand = bpf_map_lookup_elem(&hands, &zero);
	const struct conversation_key *key;
	struct conversation *conversation;
	__u64 oldest_ns = ~0ULL;

	if (!hand)
		return NO_SLOT;
	bpf_spin_lock(&hand->lock);
	first = hand->next;
	hand->next = first + WAYS;
	bpf_spin_unlock(&hand->lock);
	for (__u32 i = 0; i < WAYS; i++) {
		__u32 slot = (first + i) & (SLOTS - 1);

		key = bpf_map_lookup_elem(&slots, &slot);
		if (!key)
			return NO_SLOT;
		conversation = bpf_map_lookup_elem(&conversations, key);
		if (!conversation || conversation->slot != slot)
			return slot;
		if (conversation->record.last_ns < oldest_ns) {
			oldest_ns = conversation->record.last_ns;
			chosen = slot;
		}
	}
	key = bpf_map_lookup_elem(&slots, &chosen);
	conversation = key ? bpf_map_lookup_elem(&conversations, key) : NULL;
	if (conversation) {
		COUNT(flows_evicted);
		tell(ctx, key, conversation, KIND_UDP_CLOSE, END_EVICTED);
	}
	return chosen;
}

/* Puts a new conversation into the table, before its first datagram is counted. */
static __noinline struct conversation *begin(const struct conversation_key *key,
					     struct packet *packet, const void *sk, __u32 slot)
{
	struct conversation made = {};
	struct udp_record *record = &made.record;
	struct udp_socket *socket;

	if (slot == NO_SLOT)
		return NULL;
	record->began_ns = bpf_ktime_get_boot_ns();
	record->last_ns = record->began_ns;
	record->socket_cookie = key->socket_cookie;
	record->net_namespace = BPF_CORE_READ(plain(sk), __sk_common.skc_net.net, ns.inum);
	__builtin_memcpy(record->local_address, packet->local_address, 16);
	__builtin_memcpy(record->peer_address, packet->peer_address, 16);
	record->local_port = packet->local_port;
	record->peer_port = packet->peer_port;
	record->family = packet->family;
	record->one_in_log2 = packet->one_in_log2;
	if (packet->direction == INGRESS)
		record->flags = UDP_RECEIVED_FIRST;
	made.claim.passes = nobody_passes();
	made.told_ns = record->began_ns;
	made.slot = slot;
	socket = bpf_map_lookup_elem(&sockets, &key->socket_cookie);
	if (socket) {
		record->process = socket->owner.process;
		made.claim = socket->owner.claim;
		if (made.claim.is_known)
			record->flags |= UDP_OWNER_KNOWN;
		if (socket->opened_ns &&
		    record->began_ns - socket->opened_ns < 2 * config.interval_ns)
			record->flags |= UDP_OPENED_BEFORE_START;
		made.older = socket->newest;
		made.has_older = socket->begun != 0;
	}
	if (!bpf_map_update_elem(&conversations, key, &made, BPF_NOEXIST)) {
		packet->is_first = true;
		bpf_map_update_elem(&slots, &slot, key, BPF_ANY);
		if (socket) {
			socket->newest = *key;
			__sync_fetch_and_add(&socket->begun, 1);
		}
	}
	/* Another processor may have made it first; else the table is full. */
	return bpf_map_lookup_elem(&conversations, key);
}

/* Ends the conversations of a socket that is being closed, the newest first. */
static __noinline void end_all(void *ctx, __u64 cookie)
{
	const struct udp_socket *socket = bpf_map_lookup_elem(&sockets, &cookie);
	struct conversation *conversation;
	struct conversation_key key;
	__u64 begun, told = 0, now;

	if (!socket)
		return;
	key = socket->newest;
	begun = socket->begun;
	for (int i = 0; i < CLOSED_AT_ONCE && told < begun; i++) {
		struct conversation_key older;
		__u32 has_older;

		conversation = bpf_map_lookup_elem(&conversations, &key);
		if (!conversation)
			break;
		older = conversation->older;
		has_older = conversation->has_older;
		tell(ctx, &key, conversation, KIND_UDP_CLOSE, END_SOCKET_CLOSED);
		told++;
		if (!has_older)
			break;
		key = older;
	}
	if (told < begun) {
		now = bpf_ktime_get_boot_ns();
		bpf_map_update_elem(&closed_sockets, &cookie, &now, BPF_ANY);
	}
}

#endif
