/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Requests that wait for their answers, by socket.
 *
 * A request says in its own segment how much of the other direction its sender has received by then, and an
 * answer begins right there, unless requests are pipelined: who asks again has read the answer before to its end.
 * So a request and its answer are found together by sequence numbers alone, equally at both ends.
 *
 * Invariant: of each request is told once, by whoever closes it. An entry is there as long as an answer is
 * expected at its socket, at most until the socket is closed.
 */
#ifndef CHANDRA_HTTP_REQUEST_PENDING_H
#define CHANDRA_HTTP_REQUEST_PENDING_H

#include "claim.h"
#include "segment.h"

struct pending {
	struct bpf_spin_lock lock; /* of is_open */
	__u32 sequence;            /* of the request's first byte */
	__u32 expected;            /* of its answer's */
	__u8 is_open;              /* nobody has told of it yet */
	__u8 has_interim;          /* an answer of 1xx came before its own */
	__u16 padding;
	__u64 began_ns;
	__u64 others; /* requests sent before the answer to one before them, less answers to such */
	__u64 socket; /* where it is in memory */
	struct claim claim;
	struct http_request_record record;
	__u8 head[CAPTURE_BYTES]; /* behind the record, as it crosses the ring */
};

/* By socket cookie. Bytes: 2048 x entries, allocated as there are some; none is evicted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64);
	__type(value, struct pending);
} requests SEC(".maps");

struct blank {
	__u8 bytes[sizeof(struct pending)];
};

/* What an entry is made from: it is too large for the stack. Never written. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct blank);
} blanks SEC(".maps");

/* A new entry; NULL where there is no room. */
static __always_inline struct pending *make_pending(const __u64 *cookie)
{
	__u32 zero = 0;
	const struct blank *blank = bpf_map_lookup_elem(&blanks, &zero);

	if (!blank || bpf_map_update_elem(&requests, cookie, blank, BPF_NOEXIST))
		return NULL;
	return bpf_map_lookup_elem(&requests, cookie);
}

/* Whether it is the caller who is to tell of it. */
static __always_inline bool take(struct pending *pending)
{
	bool is_open;

	bpf_spin_lock(&pending->lock);
	is_open = pending->is_open;
	pending->is_open = false;
	bpf_spin_unlock(&pending->lock);
	return is_open;
}

/* It is the current task's. */
static __always_inline void own(struct http_request_record *record, struct claim *claim)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	record->flags |= HTTP_OWNER_KNOWN;
	claim_for(task, &record->process, claim);
}

static __noinline void count(const struct http_request_record *record)
{
	struct group_key key = {};

	if (record->flags & HTTP_OWNER_KNOWN)
		group_by_process(&key, &record->process);
	group_by_addresses(&key, record->local_address, record->peer_address, record->family);
	group_by_ports(&key, record->local_port, record->peer_port);
	if (config.group_by & GROUP_CODE)
		key.code = record->status;
	count_group(&key);
}

/* Sends a record, with the head that follows it in memory, or counts it. */
static __noinline void tell(void *ctx, struct http_request_record *record,
			    const struct claim *claim, __u32 head_bytes)
{
	if (!wanted(KIND_HTTP_REQUEST))
		return;
	COUNT(seen);
	if (!port_passes(record->local_port, record->peer_port) ||
	    !claim_passes(&record->process, claim))
		COUNT(filtered);
	else if (config.group_by)
		count(record);
	else if (is_within_budget(&record->process, record->time_ns))
		submit(ctx, record, sizeof(*record) + head_bytes, record->time_ns);
}

/* Tells what came of a request that the caller has taken. */
static __always_inline void tell_pending(void *ctx, struct pending *pending,
					 enum http_request_outcome outcome)
{
	struct http_request_record *record = &pending->record;
	__u32 captured = record->captured_bytes;

	record->time_ns = bpf_ktime_get_boot_ns();
	record->outcome = outcome;
	if (outcome != OUTCOME_UNSEEN)
		record->duration_ns = record->time_ns - pending->began_ns;
	barrier_on(captured);
	if (captured <= CAPTURE_BYTES)
		tell(ctx, record, &pending->claim, captured);
}

#endif
