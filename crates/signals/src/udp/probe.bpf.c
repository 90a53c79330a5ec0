/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP conversations, counted at the sockets that send and receive their datagrams. See README.md for hooks
 * and their cost.
 *
 * Programs on packets and sockets always let pass. They may be preempted by one another on the same CPU, so
 * nothing is kept in per-CPU memory.
 */
#include "budget.h"
#include "conversation.h"

EXPORT(enum, udp_kind);
EXPORT(enum, udp_end);
EXPORT(enum, udp_flag);
EXPORT(struct, udp_record);

#define PASS 1

/* The current task sends: the conversation, and the socket, are its from now on. */
static __noinline void take_over(struct conversation *conversation)
{
	__u64 cookie = conversation->record.socket_cookie;
	struct udp_socket *socket;
	struct owner owner;

	own(&owner);
	conversation->record.process = owner.process;
	conversation->claim = owner.claim;
	conversation->record.flags |= UDP_OWNER_KNOWN;
	socket = bpf_map_lookup_elem(&sockets, &cookie);
	if (socket)
		socket->owner = owner;
}

static __always_inline bool is_current(const struct conversation *conversation)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return conversation->record.process.pid == (__u32)BPF_CORE_READ(task, tgid);
}

/* Counts a datagram; true for the first one that answers. */
static __always_inline bool add(struct conversation *conversation, const struct packet *packet)
{
	struct udp_record *record = &conversation->record;
	bool began_here = !(record->flags & UDP_RECEIVED_FIRST), is_reply;

	record->last_ns = bpf_ktime_get_boot_ns();
	if (packet->direction == EGRESS) {
		is_reply = !began_here && !record->datagrams_sent;
		__sync_fetch_and_add(&record->datagrams_sent, packet->datagrams);
		__sync_fetch_and_add(&record->bytes_sent, packet->bytes);
	} else {
		is_reply = began_here && !record->datagrams_received;
		__sync_fetch_and_add(&record->datagrams_received, packet->datagrams);
		__sync_fetch_and_add(&record->bytes_received, packet->bytes);
	}
	return is_reply;
}

static __always_inline int on_packet(struct __sk_buff *skb, enum direction direction)
{
	struct packet packet = { .direction = direction };
	struct conversation *conversation;
	struct conversation_key key = {};
	struct bpf_sock *sk;
	__u32 slot;

	if (!is_udp(skb, &packet) || !listens())
		return PASS;
	sk = (struct bpf_sock *)skb->sk;
	if (!sk)
		return PASS;
	sk = bpf_sk_fullsock(sk);
	/* A raw socket may send datagrams, too, and has no conversations. */
	if (!sk || sk->protocol != IPPROTO_UDP)
		return PASS;
	key.socket_cookie = bpf_get_socket_cookie(skb);
	ask_socket(sk, key.socket_cookie, &packet);
	__builtin_memcpy(key.peer_address, packet.peer_address, 16);
	key.peer_port = packet.peer_port;
	key.family = packet.family;
	conversation = bpf_map_lookup_elem(&conversations, &key);
	if (!conversation) {
		packet.one_in_log2 = draw(&key, &packet);
		if (packet.one_in_log2 == LEFT_OUT)
			return PASS;
		slot = make_room(skb);
		meet_socket(sk, key.socket_cookie);
		conversation = begin(&key, &packet, sk, slot);
		if (!conversation) {
			COUNT(flows_refused);
			COUNT(seen);
			COUNT(lost);
			return PASS;
		}
	}
	if (direction == EGRESS && !is_current(conversation))
		take_over(conversation);
	if (add(conversation, &packet)) {
		conversation->told_ns = conversation->record.last_ns;
		tell(skb, &key, conversation, KIND_UDP_REPLY, END_NOT_YET);
	} else if (packet.is_first) {
		conversation->told_ns = conversation->record.last_ns;
		tell(skb, &key, conversation, KIND_UDP_OPEN, END_NOT_YET);
	}
	return PASS;
}

SEC("cgroup_skb/egress")
int udp_egress(struct __sk_buff *skb)
{
	return on_packet(skb, EGRESS);
}

SEC("cgroup_skb/ingress")
int udp_ingress(struct __sk_buff *skb)
{
	return on_packet(skb, INGRESS);
}

static __always_inline void remember_name(struct bpf_sock_addr *call, struct named *named)
{
	__u32 thread = current_thread();

	named->socket_cookie = bpf_get_socket_cookie(call);
	named->place.port = bpf_ntohs((__be16)call->user_port);
	bpf_map_update_elem(&names, &thread, named, BPF_ANY);
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr *call)
{
	struct named named = { .place.family = AF_INET };
	__be32 address = call->user_ip4;

	if (call->protocol != IPPROTO_UDP)
		return PASS;
	__builtin_memcpy(named.place.address, &address, 4);
	remember_name(call, &named);
	return PASS;
}

SEC("cgroup/sendmsg6")
int sendmsg6(struct bpf_sock_addr *call)
{
	struct named named = { .place.family = AF_INET6 };
	__be32 address[4] = { call->user_ip6[0], call->user_ip6[1], call->user_ip6[2],
			      call->user_ip6[3] };

	if (call->protocol != IPPROTO_UDP)
		return PASS;
	__builtin_memcpy(named.place.address, address, 16);
	remember_name(call, &named);
	return PASS;
}

static __always_inline bool is_udp_socket(const struct bpf_sock *sk)
{
	return sk->protocol == IPPROTO_UDP && sk->type == SOCK_DGRAM;
}

static __always_inline int on_bind(struct bpf_sock *sk)
{
	struct udp_socket bound = {};
	__u64 cookie;

	if (!is_udp_socket(sk) || !listens())
		return PASS;
	own(&bound.owner);
	cookie = bpf_get_socket_cookie(sk);
	bpf_map_update_elem(&sockets, &cookie, &bound, BPF_ANY);
	return PASS;
}

SEC("cgroup/post_bind4")
int bind4(struct bpf_sock *sk)
{
	return on_bind(sk);
}

SEC("cgroup/post_bind6")
int bind6(struct bpf_sock *sk)
{
	return on_bind(sk);
}

SEC("cgroup/sock_release")
int release(struct bpf_sock *sk)
{
	__u64 cookie, place;

	if (!is_udp_socket(sk))
		return PASS;
	place = (__u64)plain(sk);
	bpf_map_delete_elem(&older_sockets, &place);
	cookie = bpf_get_socket_cookie(sk);
	end_all(sk, cookie);
	bpf_map_delete_elem(&sockets, &cookie);
	return PASS;
}

/* The socket had no room for a datagram that was counted as received. */
static __always_inline int on_queue_full(const struct sock *sk)
{
	__u64 cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	struct udp_socket *socket = bpf_map_lookup_elem(&sockets, &cookie);

	if (socket)
		__sync_fetch_and_add(&socket->drops, 1);
	return 0;
}

/* The arguments are the error and the socket. */
SEC("tp_btf/udp_fail_queue_rcv_skb")
int queue_full_btf(__u64 *arguments)
{
	return on_queue_full((const struct sock *)arguments[1]);
}

SEC("raw_tp/udp_fail_queue_rcv_skb")
int queue_full_raw(__u64 *arguments)
{
	return on_queue_full((const struct sock *)arguments[1]);
}

/* Sockets that are open at start, in every network namespace, with the process that has them. */
SEC("iter/task_file")
int open_sockets(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct older_socket older = {};
	struct socket *socket;
	const struct sock *sk;
	__u16 family;
	__u64 place;

	if (!task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) ||
	    BPF_CORE_READ(sk, sk_protocol) != IPPROTO_UDP)
		return 0;
	place = (__u64)sk;
	older.found_ns = bpf_ktime_get_boot_ns();
	claim_for(task, &older.owner.process, &older.owner.claim);
	bpf_map_update_elem(&older_sockets, &place, &older, BPF_NOEXIST);
	bpf_seq_write(ctx->meta->seq, &place, sizeof(place)); /* so that they can be counted */
	return 0;
}

/*
 * Now and then, for each conversation: what goes on is told of now and then, what is quiet is over. Many may be over
 * at once, such as those of a socket that was closed: what there is no room for in the ring, or in the budget of its
 * cgroup, is told the next time.
 */
SEC("iter/bpf_map_elem")
int conversations_iter(struct bpf_iter__bpf_map_elem *ctx)
{
	const struct conversation_key *at = ctx->key;
	bool is_closed, is_idle, is_due;
	struct conversation *conversation;
	struct conversation_key key;
	__u64 now, last;

	if (!at)
		return 0;
	key = *at;
	conversation = bpf_map_lookup_elem(&conversations, &key);
	if (!conversation)
		return 0;
	now = bpf_ktime_get_boot_ns();
	last = conversation->record.last_ns;
	is_closed = bpf_map_lookup_elem(&closed_sockets, &key.socket_cookie);
	is_idle = last + 2 * config.interval_ns <= now;
	is_due = last > conversation->told_ns && conversation->told_ns + config.interval_ns <= now;
	if (!is_closed && !is_idle && !is_due)
		return 0;
	if (!has_room())
		return 1;
	if (!has_budget(&conversation->record.process, now))
		return 0;
	if (is_closed) {
		tell(ctx, &key, conversation, KIND_UDP_CLOSE, END_SOCKET_CLOSED);
	} else if (is_idle) {
		tell(ctx, &key, conversation, KIND_UDP_CLOSE, END_IDLE);
	} else {
		conversation->told_ns = now;
		tell(ctx, &key, conversation, KIND_UDP_UPDATE, END_NOT_YET);
	}
	return 0;
}
