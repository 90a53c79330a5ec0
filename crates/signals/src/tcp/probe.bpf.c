/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP connections, from the socket's own state machine. See README.md for hooks and their cost.
 *
 * A state change may come from the task that owns the socket or from a softirq, and the softirq may
 * interrupt the task in the middle of this very program; the kernel would then skip the second run
 * (it does not let a program recurse). So each hook has two programs: one that only handles sockets
 * locked by a task (`owned`), one that only handles the others, which run with softirqs off.
 */
#include "budget.h"
#include "connection.h"

EXPORT(enum, tcp_kind);
EXPORT(enum, tcp_role);
EXPORT(enum, tcp_key_state);
EXPORT(enum, tcp_flag);
EXPORT(struct, tcp_record);

/* Too large for the stack together. */
struct tcp_scratch {
	struct tcp_record record;
	struct connection connection;
	struct group_key group;
};

/* Bytes: 1,300 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CONTEXTS);
	__type(key, __u32);
	__type(value, struct tcp_scratch);
} scratch SEC(".maps");

/* No reset reason of any kernel. */
#define NO_REASON ((__u32)-1)

static __always_inline void group_by_connection(struct group_key *key,
						const struct tcp_record *record)
{
	__builtin_memset(key, 0, sizeof(*key));
	if (record->flags & TCP_OWNER_KNOWN)
		group_by_process(key, &record->process);
	if (config.group_by & GROUP_KIND)
		key->kind = record->kind;
	group_by_addresses(key, record->local_address, record->peer_address, record->family);
	group_by_ports(key, record->local_port, record->peer_port);
	if (config.group_by & GROUP_STATE)
		key->state = record->new_state;
	if (config.group_by & GROUP_CODE) {
		bool known = record->kind == KIND_TCP_RESET && record->flags & TCP_REASON_KNOWN;

		key->code = known ? record->code : NO_REASON;
	}
}

/*
 * Sends the record in `out`, or counts it. Its addresses are read; what is known of the connection
 * is copied here. Fields of another kind's meaning keep what they had: the decoder reads by kind.
 */
static __always_inline void tell(void *ctx, struct tcp_scratch *out,
				 const struct connection *connection, __u32 kind, __u32 flags)
{
	struct tcp_record *record = &out->record;
	__u8 one_in_log2 = connection->one_in_log2;

	if (one_in_log2 == NOT_DRAWN)
		one_in_log2 = draw_flow(bpf_get_prandom_u32());
	if (one_in_log2 == LEFT_OUT) {
		leave_out(kind);
		return;
	}
	COUNT(seen);
	record->one_in_log2 = one_in_log2;
	record->kind = kind;
	record->flags = connection->flags | flags;
	record->role = connection->role;
	record->key_state = connection->key_state;
	record->opener_sequence = connection->opener_sequence;
	record->acceptor_sequence = connection->acceptor_sequence;
	record->process = connection->owner;
	if (!connection_passes(connection) || !port_passes(record->local_port, record->peer_port)) {
		COUNT(filtered);
		return;
	}
	if (config.group_by) {
		group_by_connection(&out->group, record);
		count_group_times(&out->group, 1u << (one_in_log2 & 31));
		return;
	}
	if (is_within_budget(&record->process, record->time_ns))
		submit(ctx, record, sizeof(*record), record->time_ns);
}

static __always_inline struct tcp_scratch *scratch_of(__u32 context)
{
	return bpf_map_lookup_elem(&scratch, &context);
}

/* A socket that a listening one made: not yet a connection that anybody can have. */
static __always_inline void on_child(void *ctx, const struct sock *sk, struct tcp_scratch *out)
{
	struct connection *connection = &out->connection;
	__u64 key = key_of(sk);

	/* What was remembered is of an earlier socket in this memory. */
	remove_flow(&connections, &key);
	if (!wanted(KIND_TCP_STATE))
		return;
	read_addresses(sk, &out->record);
	__builtin_memset(connection, 0, sizeof(*connection));
	connection->flags = TCP_HANDSHAKE_SEEN;
	connection->role = ROLE_ACCEPTOR;
	connection->passes = nobody_passes();
	connection->one_in_log2 = NOT_DRAWN;
	tell(ctx, out, connection, KIND_TCP_STATE, 0);
}

/* Of a connection that is left out only the end matters. */
static __always_inline int on_left_out(__u64 key, int new)
{
	leave_out(KIND_TCP_STATE);
	if (new != STATE_CLOSE)
		return 0;
	leave_out(KIND_TCP_CLOSE);
	if (!(config.kinds & (1u << KIND_TCP_RESET)))
		remove_flow(&connections, &key);
	return 0;
}

/* On the way from established to closed. */
static __always_inline bool is_closing(int state)
{
	return state == STATE_FIN_WAIT_1 || state == STATE_FIN_WAIT_2 ||
	       state == STATE_CLOSE_WAIT || state == STATE_LAST_ACK || state == STATE_CLOSING;
}

/* Whether records may come of a change to this state, if somebody wants them. */
static __always_inline bool is_told(const struct connection *connection, int new,
				    bool is_established)
{
	if (connection->one_in_log2 == LEFT_OUT)
		return false;
	return is_established || new == STATE_CLOSE || wanted(KIND_TCP_STATE) ||
	       (wanted(KIND_TCP_CONNECT) && new == STATE_SYN_SENT);
}

static __always_inline int on_state(void *ctx, const struct sock *sk, int old, int new,
				    enum context context)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct connection *connection;
	struct tcp_record *record;
	struct tcp_scratch *out;
	bool is_child = old == STATE_LISTEN && new == STATE_SYN_RECEIVED;
	bool begins = new == STATE_SYN_SENT || new == STATE_LISTEN;
	bool remembered, is_established, met = false;
	bool is_nothing_told = is_closing(new) && !wanted(KIND_TCP_STATE);
	__u64 key = key_of(sk);

	/* Only a task that closes may be news: as the owner of a socket that nobody was seen to accept. */
	if (old == new || (is_nothing_told && context == CONTEXT_SOFTIRQ))
		return 0;
	connection = is_child ? NULL : connection_of(key);
	if (connection && connection->one_in_log2 == LEFT_OUT && !begins)
		return on_left_out(key, new);
	if (is_nothing_told && connection && connection->flags & TCP_OWNER_KNOWN)
		return 0;
	remembered = connection;
	out = scratch_of(context);
	if (!out)
		return 0;
	record = &out->record;
	record->time_ns = bpf_ktime_get_boot_ns();
	record->code = 0;
	record->old_state = old;
	record->new_state = new;
	if (is_child) {
		on_child(ctx, sk, out);
		return 0;
	}
	if (begins || (old == STATE_SYN_RECEIVED && new == STATE_ESTABLISHED && !connection)) {
		/* A new life of this socket, or of its memory: whatever was remembered is of another. */
		connection = &out->connection;
		__builtin_memset(connection, 0, sizeof(*connection));
		connection->since_ns = record->time_ns;
		connection->flags = TCP_HANDSHAKE_SEEN;
		connection->passes = nobody_passes();
		if (new == STATE_SYN_SENT) {
			connection->role = ROLE_OPENER;
			connection->connecting = CONNECTING;
			connection->one_in_log2 = NOT_DRAWN;
		} else if (new == STATE_LISTEN) {
			listen(sk, connection);
		} else if (new == STATE_ESTABLISHED) {
			connection->role = ROLE_ACCEPTOR;
			read_key(sk, connection);
			draw(connection);
		}
		if (context == CONTEXT_TASK && new != STATE_ESTABLISHED)
			own(connection, task);
		begin(key, connection);
	} else if (!connection) {
		connection = &out->connection;
		meet(sk, connection);
		met = true;
		if (old == STATE_SYN_SENT) {
			connection->connecting = CONNECTING;
			connection->one_in_log2 = NOT_DRAWN;
		}
	} else if (connection->connecting && new == STATE_SYN_RECEIVED) {
		connection->connecting = CONNECTING_CROSSED;
	} else if (old == STATE_SYN_RECEIVED && new == STATE_ESTABLISHED &&
		   !connection->connecting) {
		/* Accepted with the data of its SYN, before the handshake's end (Fast Open). */
		connection->since_ns = record->time_ns;
		read_key(sk, connection);
	}
	/* The task that acts on a socket nobody was seen to accept is as good an owner as any. */
	if (context == CONTEXT_TASK && !(connection->flags & TCP_OWNER_KNOWN)) {
		if (connection->one_in_log2 != LEFT_OUT)
			own(connection, task);
		/* The end that closes first does so in a softirq, which knows no owner. */
		if (met && new != STATE_CLOSE)
			remember(key, connection);
	}
	record->elapsed_ns = connection->since_ns ? record->time_ns - connection->since_ns : 0;
	is_established = connection->connecting && new == STATE_ESTABLISHED;
	if (is_established) {
		connection->since_ns = record->time_ns;
		read_key(sk, connection);
		draw(connection);
		connection->connecting = CONNECTING_NO;
	}
	if (is_told(connection, new, is_established)) {
		read_addresses(sk, record);
		/* The port of an earlier try stays behind; this one is 0 until the kernel has chosen. */
		if (new == STATE_SYN_SENT)
			record->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	}
	if (is_established && wanted(KIND_TCP_ESTABLISHED))
		tell(ctx, out, connection, KIND_TCP_ESTABLISHED, 0);
	if (wanted(KIND_TCP_CONNECT) && new == STATE_SYN_SENT)
		tell(ctx, out, connection, KIND_TCP_CONNECT, 0);
	if (wanted(KIND_TCP_STATE))
		tell(ctx, out, connection, KIND_TCP_STATE, 0);
	if (new != STATE_CLOSE)
		return 0;

	if (connection->connecting) {
		record->code = BPF_CORE_READ(sk, sk_err);
		if (wanted(KIND_TCP_CONNECT_FAILED))
			tell(ctx, out, connection, KIND_TCP_CONNECT_FAILED, 0);
	} else if (old != STATE_LISTEN && (old != STATE_SYN_RECEIVED || remembered) &&
		   wanted(KIND_TCP_CLOSE)) {
		if (connection->one_in_log2 != LEFT_OUT)
			read_totals(sk, record, connection);
		tell(ctx, out, connection, KIND_TCP_CLOSE, 0);
	}
	/* An abort closes first and then sends its reset, which asks who it was. */
	if (!(config.kinds & (1u << KIND_TCP_RESET)))
		remove_flow(&connections, &key);
	return 0;
}

/* The end of a socket that was remembered beyond its close. */
static __always_inline int on_destroy(void *ctx __attribute__((unused)), const struct sock *sk)
{
	__u64 key = key_of(sk);

	remove_flow(&connections, &key);
	return 0;
}

/* accept(2) returned `sk` to the current task. */
static __always_inline int on_accept(void *ctx, const struct sock *sk)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct tcp_scratch *out = scratch_of(CONTEXT_ACCEPT);
	struct connection *connection;
	__u64 key = key_of(sk);

	if (!out || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_TCP)
		return 0;
	connection = connection_of(key);
	if (connection && connection->one_in_log2 == LEFT_OUT) {
		leave_out(KIND_TCP_ACCEPT);
		return 0;
	}
	out->record.time_ns = bpf_ktime_get_boot_ns();
	out->record.elapsed_ns = 0;
	out->record.code = 0;
	read_addresses(sk, &out->record);
	out->record.old_state = out->record.new_state = state_of(sk);
	if (!connection) {
		connection = &out->connection;
		meet(sk, connection);
		connection->role = ROLE_ACCEPTOR;
		/* Fast Open hands a connection over before its handshake has ended. */
		if (state_of(sk) == STATE_SYN_RECEIVED) {
			connection->flags = TCP_HANDSHAKE_SEEN;
			connection->since_ns = out->record.time_ns;
		}
		own(connection, task);
		if (state_of(sk) != STATE_CLOSE)
			remember(key, connection);
	} else {
		own(connection, task);
		if (connection->flags & TCP_HANDSHAKE_SEEN)
			out->record.elapsed_ns = out->record.time_ns - connection->since_ns;
	}
	if (wanted(KIND_TCP_ACCEPT))
		tell(ctx, out, connection, KIND_TCP_ACCEPT, 0);
	return 0;
}

/* The record's time, code and state are set; the rest is read, or as remembered. */
static __always_inline void tell_of_socket(void *ctx, struct tcp_scratch *out,
					   const struct sock *sk, __u32 kind, __u32 flags)
{
	struct connection *connection = connection_of(key_of(sk));

	if (!connection) {
		connection = &out->connection;
		meet(sk, connection);
	}
	if (connection->one_in_log2 != LEFT_OUT)
		read_addresses(sk, &out->record);
	out->record.elapsed_ns =
		connection->since_ns ? out->record.time_ns - connection->since_ns : 0;
	tell(ctx, out, connection, kind, flags);
}

static __always_inline int on_retransmit(void *ctx, const struct sock *sk, enum context context)
{
	struct tcp_scratch *out;

	if (!runs_here(sk, context))
		return 0;
	out = scratch_of(context);
	if (!out)
		return 0;
	out->record.time_ns = bpf_ktime_get_boot_ns();
	out->record.old_state = out->record.new_state = state_of(sk);
	out->record.code = 0;
	if (wanted(KIND_TCP_CONNECT_RETRY) && out->record.old_state == STATE_SYN_SENT)
		tell_of_socket(ctx, out, sk, KIND_TCP_CONNECT_RETRY, 0);
	if (wanted(KIND_TCP_RETRANSMIT))
		tell_of_socket(ctx, out, sk, KIND_TCP_RETRANSMIT, 0);
	return 0;
}

static __always_inline int on_reset(void *ctx, const struct sock *sk, const struct sk_buff *skb,
				    __u32 flags, __u32 reason, enum context context)
{
	struct tcp_scratch *out;
	struct connection *connection;

	if (!wanted(KIND_TCP_RESET) || (sk ? !runs_here(sk, context) : context != CONTEXT_SOFTIRQ))
		return 0;
	out = scratch_of(context);
	if (!out)
		return 0;
	out->record.time_ns = bpf_ktime_get_boot_ns();
	out->record.code = reason;
	out->record.old_state = out->record.new_state = sk ? state_of(sk) : STATE_CLOSE;
	if (sk && !is_stub(out->record.new_state) && out->record.new_state != STATE_LISTEN) {
		tell_of_socket(ctx, out, sk, KIND_TCP_RESET, flags);
		return 0;
	}
	out->record.net_namespace = sk ? BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) : 0;
	out->record.socket_cookie = 0;
	if (skb)
		read_packet(skb, &out->record);
	else
		read_addresses(sk, &out->record);
	connection = &out->connection;
	__builtin_memset(connection, 0, sizeof(*connection));
	connection->passes = nobody_passes();
	connection->one_in_log2 = NOT_DRAWN;
	tell(ctx, out, connection, KIND_TCP_RESET, flags | (sk ? 0 : TCP_NO_SOCKET));
	return 0;
}

/* Two programs per hook and rung: see the top of this file. */
#define HOOK_BOTH(rung, hook, tracepoint, args, call)     \
	SEC(rung "/" tracepoint)                          \
	int BPF_PROG(hook##_task, HOOK_ARGUMENTS args)    \
	{                                                 \
		enum context context = CONTEXT_TASK;      \
		return call;                              \
	}                                                 \
	SEC(rung "/" tracepoint)                          \
	int BPF_PROG(hook##_softirq, HOOK_ARGUMENTS args) \
	{                                                 \
		enum context context = CONTEXT_SOFTIRQ;   \
		return call;                              \
	}
#define HOOK_ARGUMENTS(...) __VA_ARGS__

/* What is read here is read twice for each change of state, so where the verifier knows the type without a helper. */
HOOK_BOTH("tp_btf", state_btf, "inet_sock_set_state", (const struct sock *sk, int old, int new),
	  sk->sk_protocol == IPPROTO_TCP && does_for(sk->sk_lock.owned, context)
		  ? on_state(ctx, sk, old, new, context)
		  : 0)
HOOK_BOTH("raw_tp", state_raw, "inet_sock_set_state", (const struct sock *sk, int old, int new),
	  BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP &&
			  does_for(BPF_CORE_READ(sk, sk_lock.owned), context)
		  ? on_state(ctx, sk, old, new, context)
		  : 0)
HOOK_BOTH("tp_btf", retransmit_btf, "tcp_retransmit_skb", (const struct sock *sk),
	  on_retransmit(ctx, sk, context))
HOOK_BOTH("raw_tp", retransmit_raw, "tcp_retransmit_skb", (const struct sock *sk),
	  on_retransmit(ctx, sk, context))
/* The reason is the third argument since 6.10; before, asking for it fails at load. */
HOOK_BOTH("tp_btf", reset_sent_reason_btf, "tcp_send_reset",
	  (const struct sock *sk, const struct sk_buff *skb, __u32 reason),
	  on_reset(ctx, sk, skb, TCP_RESET_SENT | TCP_REASON_KNOWN, reason, context))
HOOK_BOTH("tp_btf", reset_sent_btf, "tcp_send_reset",
	  (const struct sock *sk, const struct sk_buff *skb),
	  on_reset(ctx, sk, skb, TCP_RESET_SENT, 0, context))
HOOK_BOTH("raw_tp", reset_sent_raw, "tcp_send_reset",
	  (const struct sock *sk, const struct sk_buff *skb),
	  on_reset(ctx, sk, skb, TCP_RESET_SENT, 0, context))
HOOK_BOTH("tp_btf", reset_received_btf, "tcp_receive_reset", (const struct sock *sk),
	  on_reset(ctx, sk, NULL, 0, 0, context))
HOOK_BOTH("raw_tp", reset_received_raw, "tcp_receive_reset", (const struct sock *sk),
	  on_reset(ctx, sk, NULL, 0, 0, context))

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(destroy_btf, const struct sock *sk)
{
	return on_destroy(ctx, sk);
}

SEC("raw_tp/tcp_destroy_sock")
int BPF_PROG(destroy_raw, const struct sock *sk)
{
	return on_destroy(ctx, sk);
}

/* bpf_get_func_ret (5.17) reads the result whatever arguments the function has on this kernel. */
SEC("fexit/inet_csk_accept")
int accept_fexit(__u64 *ctx)
{
	__u64 sk = 0;

	if (bpf_get_func_ret(ctx, &sk) || !sk)
		return 0;
	return on_accept(ctx, (const struct sock *)sk);
}

SEC("kretprobe/inet_csk_accept")
int BPF_KRETPROBE(accept_kretprobe, const struct sock *sk)
{
	return sk ? on_accept(ctx, sk) : 0;
}

/* A file's socket, or the first one below it: Multipath TCP is several of TCP. */
static __always_inline const struct sock *tcp_socket_of(struct file *file)
{
	struct socket *socket;
	const struct sock *sk;
	__u16 family;

	if (!file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6)
		return NULL;
	if (bpf_core_field_exists(struct mptcp_sock, first) &&
	    BPF_CORE_READ(sk, sk_protocol) == IPPROTO_MPTCP)
		sk = BPF_CORE_READ((const struct mptcp_sock *)sk, first);
	return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP ? sk : NULL;
}

/* Where no function can be hooked: from the descriptor that accept returned to its socket. */
static __always_inline int on_accept_exit(void *ctx, long fd)
{
	struct file *file = file_of((void *)bpf_get_current_task(), fd);
	const struct sock *sk;

	if (!file)
		return 0;
	sk = tcp_socket_of(file);
	return sk ? on_accept(ctx, sk) : 0;
}

SEC("tracepoint/syscalls/sys_exit_accept")
int accept_exit(struct trace_event_raw_sys_exit *ctx)
{
	return on_accept_exit(ctx, ctx->ret);
}

SEC("tracepoint/syscalls/sys_exit_accept4")
int accept4_exit(struct trace_event_raw_sys_exit *ctx)
{
	return on_accept_exit(ctx, ctx->ret);
}

/* Connections that are open at start, in every network namespace, with the process that has them. */
SEC("iter/task_file")
int open_iter(struct bpf_iter__task_file *ctx)
{
	struct connection connection = {};
	struct task_struct *task = ctx->task;
	const struct sock *sk;
	__u64 key;
	__u8 state;

	if (!task)
		return 0;
	sk = tcp_socket_of(ctx->file);
	if (!sk)
		return 0;
	state = state_of(sk);
	key = key_of(sk);
	if (state == STATE_CLOSE || state == STATE_SYN_RECEIVED)
		return 0;
	/* What is of an earlier socket is forgotten. */
	connection_of(key);
	connection.flags = TCP_OPENED_BEFORE_START;
	connection.role = guess_role(sk);
	if (state == STATE_SYN_SENT) {
		connection.connecting = CONNECTING;
		connection.one_in_log2 = NOT_DRAWN;
	} else if (state == STATE_LISTEN) {
		listen(sk, &connection);
	} else {
		read_key(sk, &connection);
		draw(&connection);
	}
	own(&connection, task);
	remember(key, &connection);
	/* It may have closed while it was looked at; its close then found nothing to forget. */
	if (state_of(sk) == STATE_CLOSE)
		remove_flow(&connections, &key);
	else if (state != STATE_LISTEN)
		bpf_seq_write(ctx->meta->seq, &key, sizeof(key)); /* so that they can be counted */
	return 0;
}

/* Data may go over it: it is neither being opened nor gone. */
static __always_inline bool carries_data(__u8 state)
{
	return state == STATE_ESTABLISHED || state == STATE_FIN_WAIT_1 ||
	       state == STATE_FIN_WAIT_2 || state == STATE_CLOSE_WAIT || state == STATE_CLOSING ||
	       state == STATE_LAST_ACK;
}

/* What a listening socket had no room for since that was told last. */
static __always_inline int on_listener(void *ctx, struct tcp_scratch *out, __u64 key)
{
	const struct sock *sk = (const struct sock *)key;
	struct connection *connection;
	__u32 drops = BPF_CORE_READ(sk, sk_drops.counter);

	out->record.time_ns = bpf_ktime_get_boot_ns();
	out->record.old_state = out->record.new_state = state_of(sk);
	out->record.accept_queue = BPF_CORE_READ(sk, sk_ack_backlog);
	out->record.accept_queue_limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
	read_addresses(sk, &out->record);
	/* Forgotten before its memory is another's, as below. */
	connection = connection_of(key);
	if (!connection || out->record.new_state != STATE_LISTEN ||
	    drops == (__u32)connection->told_count)
		return 0;
	if (!has_room())
		return 1;
	if (!has_budget(&connection->owner, out->record.time_ns))
		return 0;
	out->record.drops = drops - (__u32)connection->told_count;
	out->record.elapsed_ns = 0;
	out->record.code = 0;
	connection->told_count = drops;
	tell(ctx, out, connection, KIND_TCP_LISTEN_DROP, 0);
	return 0;
}

/*
 * Now and then, for each socket that is remembered: what went over it so far, if that is more than was
 * told, and what a listening one dropped. The kernel counts that anyway, so there is nothing on the way of the data.
 *
 * What is at hand is looked at first. Only a connection over which something went is looked up, which is what the table
 * takes for its being used: so those that are quiet make room. Listening sockets are looked up each time, and stay.
 */
SEC("iter/bpf_map_elem")
int connections_iter(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct connection *at_hand = ctx->value;
	struct connection *connection;
	const struct tcp_sock *tp;
	const struct sock *sk;
	const __u64 *at = ctx->key;
	struct tcp_scratch *out;
	__u64 key, segments;

	if (!at || !at_hand)
		return 0;
	key = *at;
	out = scratch_of(CONTEXT_UPDATE);
	if (at_hand->generation != governed.generation) {
		remove_flow(&connections, &key);
		return 0;
	}
	if (at_hand->connecting || at_hand->one_in_log2 == LEFT_OUT || !out)
		return 0;
	if (at_hand->role == ROLE_LISTENER)
		return wanted(KIND_TCP_LISTEN_DROP) ? on_listener(ctx, out, key) : 0;
	if (!wanted(KIND_TCP_UPDATE))
		return 0;
	sk = (const struct sock *)key;
	tp = (const void *)key;
	out->record.time_ns = bpf_ktime_get_boot_ns();
	out->record.old_state = out->record.new_state = state_of(sk);
	segments = (__u64)BPF_CORE_READ(tp, segs_out) + BPF_CORE_READ(tp, segs_in);
	if (!carries_data(out->record.new_state) || segments == at_hand->told_count ||
	    out->record.time_ns < at_hand->told_ns + config.interval_ns)
		return 0;
	if (!has_room())
		return 1;
	if (!has_budget(&at_hand->owner, out->record.time_ns))
		return 0;
	connection = bpf_map_lookup_elem(&connections, &key);
	if (!connection)
		return 0;
	read_addresses(sk, &out->record);
	read_totals(sk, &out->record, connection);
	out->record.elapsed_ns =
		connection->since_ns ? out->record.time_ns - connection->since_ns : 0;
	/* A socket is forgotten before its memory is another's: what is still remembered was read of it. */
	connection = bpf_map_lookup_elem(&connections, &key);
	if (!connection)
		return 0;
	connection->told_ns = out->record.time_ns;
	connection->told_count = segments;
	tell(ctx, out, connection, KIND_TCP_UPDATE, 0);
	return 0;
}
