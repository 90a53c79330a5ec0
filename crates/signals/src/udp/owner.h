/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose a socket is: of who sent through it last, else of who bound it, else of who had it open at start.
 * What arrives comes in an interrupt, which says nothing of that.
 */
#ifndef CHANDRA_UDP_OWNER_H
#define CHANDRA_UDP_OWNER_H

#include "claim.h"
#include "packet.h"

struct owner {
	struct process process;
	struct claim claim;
};

/* A conversation: of which socket, with whom. */
struct conversation_key {
	__u64 socket_cookie;
	__u8 peer_address[16];
	__u16 peer_port;
	__u16 family;
	__u32 padding;
};

struct udp_socket {
	struct owner owner;
	struct conversation_key newest; /* the conversation of it that began last */
	__u64 drops;
	__u64 begun;     /* how many conversations it has had */
	__u64 opened_ns; /* when it was found open at start; 0: it is younger */
};

/* By cookie. Bytes: about 200 x max_entries; the one that was not used for the longest time goes first. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct udp_socket);
} sockets SEC(".maps");

struct older_socket {
	struct owner owner;
	__u64 found_ns;
};

/* Sockets that were open at start, by their place in memory: most have no cookie yet. Bytes: 130 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct older_socket);
} older_sockets SEC(".maps");

/* It is the current task's. */
static __always_inline void own(struct owner *owner)
{
	__builtin_memset(owner, 0, sizeof(*owner));
	claim_for((void *)bpf_get_current_task(), &owner->process, &owner->claim);
}

/* Remembers a socket when it is first met. */
static __noinline void meet_socket(const void *sk, __u64 cookie)
{
	struct udp_socket met = { .owner.claim.passes = nobody_passes() };
	const struct older_socket *older;
	__u64 place;

	if (bpf_map_lookup_elem(&sockets, &cookie))
		return;
	place = (__u64)plain(sk);
	older = bpf_map_lookup_elem(&older_sockets, &place);
	if (older) {
		met.owner = older->owner;
		met.opened_ns = older->found_ns;
	}
	bpf_map_update_elem(&sockets, &cookie, &met, BPF_NOEXIST);
}

#endif
