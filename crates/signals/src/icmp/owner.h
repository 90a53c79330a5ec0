/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose a message is. A program that sends one runs while it does; what the kernel sends and what comes in
 * is nobody's, but for the reply to an echo request that was seen.
 */
#ifndef CHANDRA_ICMP_OWNER_H
#define CHANDRA_ICMP_OWNER_H

#include "claim.h"
#include "message.h"

/* The answer may come from another address: that of a group has many. */
struct request_key {
	__u32 net_namespace;
	__u8 id_and_sequence[4];
	__u32 family;
};

struct echo_request {
	struct process process;
	struct claim claim;
	__u64 time_ns;
};

/* Echo requests that wait for their reply. Bytes: about 170 x max_entries; unanswered ones age out. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct request_key);
	__type(value, struct echo_request);
} requests SEC(".maps");

/* The kernel's own sockets have no file. */
static __always_inline bool is_of_program(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_socket, file) != NULL;
}

/* The current task's is the message. */
static __noinline void own(struct icmp_record *record, struct claim *claim)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	claim_for(task, &record->process, claim);
}

/* Keeps who asks, and when; finds it again for the answer. */
static __noinline void remember(struct icmp_record *record, struct claim *claim)
{
	struct request_key key = {
		.net_namespace = record->net_namespace,
		.family = record->family,
	};
	const struct echo_request *asked;

	__builtin_memcpy(key.id_and_sequence, record->word, 4);
	if (record->flags & ICMP_SENT && is_echo_request(record) && claim->is_known) {
		struct echo_request request = {
			.process = record->process,
			.claim = *claim,
			.time_ns = record->time_ns,
		};

		bpf_map_update_elem(&requests, &key, &request, BPF_ANY);
	}
	if (record->flags & ICMP_SENT || !is_echo_reply(record))
		return;
	asked = bpf_map_lookup_elem(&requests, &key);
	if (!asked)
		return;
	record->flags |= ICMP_LATENCY_KNOWN;
	record->latency_ns = record->time_ns - asked->time_ns;
	record->process = asked->process;
	*claim = asked->claim;
	bpf_map_delete_elem(&requests, &key);
}

#endif
