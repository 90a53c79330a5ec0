/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is remembered of a connection, and what its socket says of it.
 *
 * Bytes go over a connection in runs: some that way, then some the other way. Where a run begins the
 * socket's sequence numbers tell whether the run before it had reached its end: what is sent only after
 * all was read, and read only after all that was sent has been acknowledged, is a request and its answer.
 */
#ifndef CHANDRA_TCP_REQUEST_CONVERSATION_H
#define CHANDRA_TCP_REQUEST_CONVERSATION_H

#include "event.h"
#include "flow_table.h"

#define STATE_ESTABLISHED 1
#define STATE_CLOSE_WAIT  8

enum direction {
	DIRECTION_SENT,
	DIRECTION_READ,
};

struct conversation {
	__u64 since_ns; /* the first bytes of a request that has no answer yet; 0: none, or not seen */
	__u32 up_to;    /* sequence number of what had gone the other way when this run began */
	__u8 direction; /* of the run that goes on */
	__u8 role;
	__u8 is_overlapped; /* that request began before the one before had its whole answer */
	__u8 doubts;        /* so many turns more are not told */
};

/*
 * By socket. Bytes: 96 x max_entries, allocated at load. One that is forgotten for want of room is met anew, and told of
 * again from its next turn on; a request that was under way then is not told.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct conversation);
} conversations SEC(".maps");

/* What a socket says of its bytes, read where a run begins. */
struct standing {
	__u64 bytes_received;
	__u64 bytes_acked;
	unsigned long flags;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_una;
	__u32 write_seq;
	__u8 state;
	bool is_owned; /* by a task, as opposed to a softirq */
};

/*
 * By typed pointers where the hook has them, which spares a third of what a request costs in all; false
 * where it is no socket of TCP.
 */
static __always_inline bool read_standing(struct standing *standing, const struct sock *sk,
					  bool is_typed)
{
	const struct tcp_sock *tp = (const void *)sk;

#define READ_ALL(read)                                               \
	do {                                                         \
		standing->state = read(sk, __sk_common.skc_state);   \
		standing->flags = read(sk, __sk_common.skc_flags);   \
		standing->is_owned = read(sk, sk_lock.owned) != 0;   \
		standing->bytes_received = read(tp, bytes_received); \
		standing->bytes_acked = read(tp, bytes_acked);       \
		standing->rcv_nxt = read(tp, rcv_nxt);               \
		standing->copied_seq = read(tp, copied_seq);         \
		standing->snd_una = read(tp, snd_una);               \
		standing->write_seq = read(tp, write_seq);           \
	} while (0)

	if (!is_typed) {
		READ_ALL(READ_COPIED);
		return true;
	}
	tp = bpf_skc_to_tcp_sock((void *)sk);
	if (!tp)
		return false;
	READ_ALL(READ_TYPED);
	return true;
#undef READ_ALL
}

static __always_inline __u32 gone_against(const struct standing *standing, enum direction direction)
{
	return direction == DIRECTION_SENT ? standing->copied_seq : standing->write_seq;
}

/* Something that was received was not read yet. A FIN counts as a byte. */
static __always_inline bool has_unread(const struct standing *standing)
{
	unsigned long done = 1UL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);

	return standing->rcv_nxt - standing->copied_seq > (standing->flags & done ? 1 : 0);
}

/* Something that was sent was not acknowledged yet; or more than a FIN, where one was sent. */
static __always_inline bool has_unacknowledged(const struct standing *standing)
{
	bool may_send = standing->state == STATE_ESTABLISHED || standing->state == STATE_CLOSE_WAIT;

	return standing->write_seq - standing->snd_una > (may_send ? 0 : 1);
}

/*
 * A socket that accept(2) returned has sent nothing at first, not even a SYN that counts as acknowledged;
 * later the limit of its listener's backlog is left in it, which one that connected never has.
 */
static __always_inline enum tcp_request_role role_of(const struct sock *sk,
						     const struct standing *standing)
{
	if (!standing->bytes_acked || BPF_CORE_READ(sk, sk_max_ack_backlog))
		return ROLE_SERVER;
	return ROLE_CLIENT;
}

/* Nothing went the other way before: this run is the connection's first. */
static __always_inline bool is_first_run(const struct standing *standing, enum direction direction)
{
	if (direction == DIRECTION_SENT)
		return !standing->bytes_received;
	/* An opener's SYN is acknowledged. */
	return standing->bytes_acked <= 1 && standing->snd_una == standing->write_seq;
}

/* How much was read so far. 0: a look at a socket that is new took nothing (MSG_PEEK). */
static __always_inline __u32 bytes_read(const struct standing *standing)
{
	return standing->copied_seq - (standing->rcv_nxt - (__u32)standing->bytes_received);
}

#endif
