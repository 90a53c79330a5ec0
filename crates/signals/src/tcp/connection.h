/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A connection: what its socket says of it, and what is remembered of it from its opening to its
 * close.
 */
#ifndef CHANDRA_TCP_CONNECTION_H
#define CHANDRA_TCP_CONNECTION_H

#include "event.h"
#include "flow_table.h"
#include "governed.h"

enum tcp_state {
	STATE_ESTABLISHED = 1,
	STATE_SYN_SENT,
	STATE_SYN_RECEIVED,
	STATE_FIN_WAIT_1,
	STATE_FIN_WAIT_2,
	STATE_TIME_WAIT,
	STATE_CLOSE,
	STATE_CLOSE_WAIT,
	STATE_LAST_ACK,
	STATE_LISTEN,
	STATE_CLOSING,
	STATE_NEW_SYN_RECEIVED,
};

/* What is remembered of a socket from its opening to its close. */
struct connection {
	struct process owner;
	__u64 since_ns;    /* of connect, then of the handshake's end */
	__u64 told_ns;     /* of a tcp_update, with as many segments as there were then */
	__u64 told_count;  /* segments; of a listening socket, drops */
	__u64 selected_by; /* the cgroup, the owner's or one around it, whose selection holds */
	__u32 opener_sequence;
	__u32 acceptor_sequence;
	__u32 flags; /* enum tcp_flag: owner known, opened before start, handshake seen */
	__u8 role;
	__u8 key_state;
	__u8 connecting; /* enum connecting */
	__u8 passes;     /* the owner passes the filters on processes */
	__u32 generation; /* of hooks; of another one it may be of an earlier socket in this memory */
	__u8 one_in_log2; /* of so many connections it is one that is told; LEFT_OUT, NOT_DRAWN */
	__u8 padding[3];
};

/* It has no key yet: each record is drawn for itself. */
#define NOT_DRAWN 0xfe

enum connecting {
	CONNECTING_NO,
	CONNECTING,
	CONNECTING_CROSSED, /* the peer's SYN met ours: both ends are openers */
};

/*
 * By socket. Bytes: 192 x max_entries, allocated at load. One that is forgotten for want of room is met anew: what went
 * over it its socket says at any time, so that only who opened it, and when, is lost.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct connection);
} connections SEC(".maps");

enum context {
	CONTEXT_TASK,
	CONTEXT_SOFTIRQ,
	CONTEXT_ACCEPT, /* a function's exit may be preempted by another task's hooks */
	CONTEXT_UPDATE, /* an iterator, too; user space runs one at a time */
	CONTEXTS,
};

static __always_inline __u64 key_of(const struct sock *sk)
{
	return (__u64)sk;
}

/* What is remembered of a socket. */
static __always_inline struct connection *connection_of(__u64 key)
{
	struct connection *connection = bpf_map_lookup_elem(&connections, &key);

	if (!connection || connection->generation == governed.generation)
		return connection;
	remove_flow(&connections, &key);
	return NULL;
}

/* Unless it is remembered already. */
static __always_inline void remember(__u64 key, struct connection *connection)
{
	connection->generation = governed.generation;
	add_flow(&connections, &key, connection);
}

/* Whatever was remembered. */
static __always_inline void begin(__u64 key, struct connection *connection)
{
	connection->generation = governed.generation;
	put_flow(&connections, &key, connection);
}

static __always_inline __u8 state_of(const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_state);
}

/* Of a socket in these states the kernel keeps only a stub. */
static __always_inline bool is_stub(__u8 state)
{
	return state == STATE_TIME_WAIT || state == STATE_NEW_SYN_RECEIVED;
}

/* Whether a program does for a socket of which a task has, or has not, the lock. */
static __always_inline bool does_for(bool is_owned, enum context context)
{
	return is_owned == (context == CONTEXT_TASK);
}

static __always_inline bool runs_here(const struct sock *sk, enum context context)
{
	return does_for(!is_stub(state_of(sk)) && BPF_CORE_READ(sk, sk_lock.owned), context);
}

static __always_inline void read_addresses(const struct sock *sk, struct tcp_record *record)
{
	record->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	/* Not skc_num: a closing socket has given that back already. */
	record->local_port = bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
	record->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (record->family == AF_INET6) {
		BPF_CORE_READ_INTO(&record->local_address, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&record->peer_address, sk, __sk_common.skc_v6_daddr);
	} else {
		__builtin_memset(record->local_address, 0, 16);
		__builtin_memset(record->peer_address, 0, 16);
		*(__u32 *)record->local_address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		*(__u32 *)record->peer_address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
	}
	record->net_namespace = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	record->socket_cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
}

/*
 * The connection key: the sequence number of the first payload byte of each direction. The kernel
 * counts the opener's SYN as an acknowledged byte and a FIN as a received one.
 */
static __always_inline void read_key(const struct sock *sk, struct connection *connection)
{
	const struct tcp_sock *tp = (const void *)sk;
	__u64 acked = BPF_CORE_READ(tp, bytes_acked);
	__u32 sent = BPF_CORE_READ(tp, snd_una) - (__u32)acked;
	__u32 received = BPF_CORE_READ(tp, rcv_nxt) - (__u32)BPF_CORE_READ(tp, bytes_received);

	connection->key_state = KEY_VALID;
	if (connection->role == ROLE_OPENER) {
		connection->opener_sequence = sent + 1;
		connection->acceptor_sequence = received;
		if (!acked)
			connection->key_state = KEY_REPAIRED;
		/* At the handshake's end the bit is not set yet, but then nothing else was sent. */
		if (connection->connecting && acked > 1)
			connection->key_state = KEY_FAST_OPEN;
	} else {
		connection->opener_sequence = received;
		connection->acceptor_sequence = sent;
	}
	/* Both ends know this of data in a SYN: the acceptor that it took it, the opener that it did. */
	if (BPF_CORE_READ_BITFIELD_PROBED(tp, syn_data_acked))
		connection->key_state = KEY_FAST_OPEN;
	if (connection->role == ROLE_UNKNOWN || connection->connecting == CONNECTING_CROSSED)
		connection->key_state = KEY_ROLE_UNKNOWN;
	if (BPF_CORE_READ_BITFIELD_PROBED(tp, repair))
		connection->key_state = KEY_REPAIRED;
	if (bpf_core_field_exists(tp->is_mptcp) && BPF_CORE_READ(tp, is_mptcp))
		connection->key_state = KEY_MPTCP;
}

/*
 * Draws a connection, by its key: initial sequence numbers are evenly distributed (RFC 6528), neither end chooses
 * both, and both ends have them, wherever they are. So what one node tells of, the other one does, too.
 */
static __always_inline void draw(struct connection *connection)
{
	__u64 sequences = (__u64)connection->opener_sequence + connection->acceptor_sequence;

	connection->one_in_log2 = draw_flow(spread(sequences));
}

/*
 * Which end is this socket, met in the middle of its life? A socket that accept(2) returned is a
 * copy of the listening one, backlog limit included; one that socket(2) made has no limit.
 */
static __always_inline __u8 guess_role(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_max_ack_backlog) ? ROLE_ACCEPTOR : ROLE_OPENER;
}

/* A listening socket: what it dropped before this is not told. */
static __always_inline void listen(const struct sock *sk, struct connection *connection)
{
	connection->role = ROLE_LISTENER;
	connection->told_count = BPF_CORE_READ(sk, sk_drops.counter);
}

static __always_inline void own(struct connection *connection, struct task_struct *task)
{
	read_process(task, &connection->owner);
	connection->flags |= TCP_OWNER_KNOWN;
	connection->passes = owner_passes(task, &connection->owner);
	if (config.selects_cgroups) {
		struct cgroup_key key = cgroup_of(&connection->owner);

		find_selection(task, &key);
		connection->selected_by = key.id;
	}
}

/* Asked anew for each record: connections outlive decisions, and are there before them. */
static __always_inline bool connection_passes(const struct connection *connection)
{
	struct cgroup_key key = {
		.id = connection->selected_by,
		.hierarchy = connection->owner.cgroup_hierarchy,
	};

	if (!connection->passes || !config.selects_cgroups)
		return connection->passes;
	return is_selected(bpf_map_lookup_elem(&cgroup_selection, &key));
}

/* A socket of which nothing is remembered: opened before start, or its table was full. */
static __always_inline void meet(const struct sock *sk, struct connection *connection)
{
	__builtin_memset(connection, 0, sizeof(*connection));
	connection->flags = TCP_OPENED_BEFORE_START;
	connection->role = guess_role(sk);
	connection->passes = nobody_passes();
	read_key(sk, connection);
	draw(connection);
}

/* What the kernel times of a connection that has something to send (enum tcp_chrono). */
enum chrono {
	CHRONO_BUSY = 1,
	CHRONO_RECEIVE_WINDOW,
	CHRONO_SEND_BUFFER,
};

/* Jiffies in which this was what held it up, until now. */
static __always_inline __u32 limited_by(const struct tcp_sock *tp, enum chrono what)
{
	__u32 jiffies = BPF_CORE_READ(tp, chrono_stat[what - CHRONO_BUSY]);

	if (BPF_CORE_READ_BITFIELD_PROBED(tp, chrono_type) == what)
		jiffies += (__u32)bpf_jiffies64() - BPF_CORE_READ(tp, chrono_start);
	return jiffies;
}

/*
 * Payload both ways. A FIN counts as one byte: ours when it was sent (the state says so) and
 * acknowledged (nothing is outstanding), the peer's when the socket is marked done.
 */
static __always_inline void read_totals(const struct sock *sk, struct tcp_record *record,
					const struct connection *connection)
{
	const struct tcp_sock *tp = (const void *)sk;
	__u8 old = record->old_state;
	bool fin_sent = old == STATE_FIN_WAIT_1 || old == STATE_FIN_WAIT_2 ||
			old == STATE_CLOSING || old == STATE_LAST_ACK || old == STATE_TIME_WAIT;
	__u64 sent = BPF_CORE_READ(tp, bytes_acked);
	__u64 received = BPF_CORE_READ(tp, bytes_received);
	unsigned long done = 1UL << bpf_core_enum_value(enum sock_flags, SOCK_DONE);

	/* A repaired socket never sent a SYN. */
	if (connection->role == ROLE_OPENER && connection->key_state != KEY_REPAIRED && sent)
		sent -= 1;
	if (fin_sent && BPF_CORE_READ(tp, snd_una) == BPF_CORE_READ(tp, write_seq) && sent)
		sent -= 1;
	if (BPF_CORE_READ(sk, __sk_common.skc_flags) & done && received)
		received -= 1;
	record->bytes_sent = sent;
	record->bytes_received = received;
	record->segments_sent = BPF_CORE_READ(tp, segs_out);
	record->segments_received = BPF_CORE_READ(tp, segs_in);
	record->retransmits = BPF_CORE_READ(tp, total_retrans);
	record->smoothed_rtt_us = BPF_CORE_READ(tp, srtt_us);
	record->minimum_rtt_us = BPF_CORE_READ(tp, rtt_min.s[0].v);
	record->receive_window_limited = limited_by(tp, CHRONO_RECEIVE_WINDOW);
	record->send_buffer_limited = limited_by(tp, CHRONO_SEND_BUFFER);
}

/* Addresses of the packet that is answered with an RST: its destination is our end. */
static __always_inline void read_packet(const struct sk_buff *skb, struct tcp_record *record)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	const unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	const unsigned char *tcp = head + BPF_CORE_READ(skb, transport_header);
	__u16 ports[2] = {};
	__u8 version = 0;

	bpf_probe_read_kernel(&version, sizeof(version), ip);
	__builtin_memset(record->local_address, 0, 16);
	__builtin_memset(record->peer_address, 0, 16);
	if (version >> 4 == 6) {
		record->family = AF_INET6;
		bpf_probe_read_kernel(record->peer_address, 16, ip + 8);
		bpf_probe_read_kernel(record->local_address, 16, ip + 24);
	} else {
		record->family = AF_INET;
		bpf_probe_read_kernel(record->peer_address, 4, ip + 12);
		bpf_probe_read_kernel(record->local_address, 4, ip + 16);
	}
	bpf_probe_read_kernel(ports, sizeof(ports), tcp);
	record->peer_port = bpf_ntohs(ports[0]);
	record->local_port = bpf_ntohs(ports[1]);
}

#endif
