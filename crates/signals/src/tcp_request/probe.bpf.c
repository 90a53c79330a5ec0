/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long requests over TCP take: at the end that opened the connection from the first byte of a request
 * that is sent to the first of the answer that is read, at the end that accepted it from the first byte
 * that is read to the first that is sent. Counted in the kernel; no payload is looked at.
 *
 * All of it runs in the task that sends or reads, and but for the rung `+length` with the socket locked: what
 * is remembered of a socket is one task's at a time.
 */
#define HISTOGRAM_TABLE  BPF_MAP_TYPE_HASH
#define HISTOGRAM_GROUPS 8192

#include "conversation.h"
#include "current.h"
#include "governed.h"
#include "histogram.h"

EXPORT(enum, tcp_request_role);

/* After runs that overlapped so many turns have to go by without, until a connection is told of again. */
#define DOUBTS 8

#define GROUP_FLOW (GROUP_LOCAL_ADDRESS | GROUP_PEER_ADDRESS | GROUP_PEER_PORT)

static __always_inline void read_address(const struct sock *sk, bool local, __u8 *address)
{
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {
		if (local)
			bpf_core_read(address, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		else
			bpf_core_read(address, 16, &sk->__sk_common.skc_v6_daddr);
	} else if (local) {
		bpf_core_read(address, 4, &sk->__sk_common.skc_rcv_saddr);
	} else {
		bpf_core_read(address, 4, &sk->__sk_common.skc_daddr);
	}
}

static __always_inline __u16 local_port(const struct sock *sk)
{
	return bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
}

static __always_inline __u16 peer_port(const struct sock *sk)
{
	return bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
}

/* The source is the client at either end. */
static __always_inline void group_by_flow(struct group_key *key, const struct sock *sk)
{
	bool is_client = key->code == ROLE_CLIENT;

	if (config.group_by & GROUP_LOCAL_ADDRESS)
		read_address(sk, is_client, key->local_address);
	if (config.group_by & GROUP_PEER_ADDRESS)
		read_address(sk, !is_client, key->peer_address);
	if (config.group_by & (GROUP_LOCAL_ADDRESS | GROUP_PEER_ADDRESS))
		key->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (config.group_by & GROUP_PEER_PORT)
		key->peer_port = is_client ? peer_port(sk) : local_port(sk);
}

/* Those have a family of their own, which only is there where groups are counted. */
static __always_inline void count_overlapped(const struct group_key *key, __u32 times)
{
	__u64 nothing = 0, *count;

	if (!config.group_by)
		return;
	count = bpf_map_lookup_elem(&groups, key);
	if (!count) {
		bpf_map_update_elem(&groups, key, &nothing, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&groups, key);
	}
	if (count)
		__sync_fetch_and_add(count, times);
}

/* A request that was seen from its first byte has the first of its answer. */
static __always_inline void answered(const struct sock *sk, struct conversation *conversation,
				     bool overlaps)
{
	__u64 since = conversation->since_ns, elapsed;
	struct group_key key = {};
	__u32 times;

	conversation->since_ns = 0;
	if (!since || began_unwatched(since))
		return;
	elapsed = bpf_ktime_get_ns() - since;
	overlaps |= conversation->is_overlapped;
	if (overlaps) {
		conversation->doubts = DOUBTS;
	} else if (conversation->doubts) {
		conversation->doubts--;
		overlaps = true;
	}
	COUNT(seen);
	times = stands_for();
	if (!times)
		return;
	if ((config.port_count && !port_passes(local_port(sk), peer_port(sk))) ||
	    !current_passes(&key)) {
		COUNT(filtered);
		return;
	}
	key.code = conversation->role;
	if (config.group_by & GROUP_FLOW)
		group_by_flow(&key, sk);
	if (overlaps) {
		count_overlapped(&key, times);
		COUNT(filtered);
		return;
	}
	count_value_times(&key, elapsed, times);
}

/* A socket of which nothing is remembered. */
static __always_inline void meet(const struct sock *sk, __u64 key, const struct standing *standing,
				 enum direction direction)
{
	struct conversation conversation = {
		.direction = direction,
		.role = role_of(sk, standing),
		.up_to = gone_against(standing, direction),
	};
	bool asks = (direction == DIRECTION_SENT) == (conversation.role == ROLE_CLIENT);

	if (asks && is_first_run(standing, direction))
		conversation.since_ns = bpf_ktime_get_ns();
	if (!add_flow(&conversations, &key, &conversation) && asks) {
		COUNT(seen);
		COUNT(lost);
	}
}

/* The run that went the other way is over. */
static __always_inline void turn(const struct sock *sk, struct conversation *conversation,
				 const struct standing *standing, enum direction direction,
				 bool overlaps)
{
	conversation->direction = direction;
	conversation->up_to = gone_against(standing, direction);
	if ((direction == DIRECTION_SENT) == (conversation->role == ROLE_CLIENT)) {
		conversation->since_ns = bpf_ktime_get_ns();
		conversation->is_overlapped = overlaps;
	} else {
		answered(sk, conversation, overlaps);
	}
}

static __always_inline int on_send(const struct sock *sk, bool is_typed, bool is_before)
{
	struct conversation *conversation;
	struct standing standing;
	__u64 key = (__u64)sk;
	bool unseen;

	if (!listens())
		return 0;
	conversation = bpf_map_lookup_elem(&conversations, &key);
	if (conversation && conversation->direction == DIRECTION_SENT)
		return 0;
	if (!read_standing(&standing, sk, is_typed))
		return 0;
	/* What goes with a SYN is no connection's yet. */
	if (standing.state != STATE_ESTABLISHED && standing.state != STATE_CLOSE_WAIT)
		return 0;
	if (!conversation) {
		meet(sk, key, &standing, DIRECTION_SENT);
		return 0;
	}
	/* Something was sent by a way that has no hook, so that this run did not begin now. */
	unseen = is_before && standing.write_seq != conversation->up_to;
	turn(sk, conversation, &standing, DIRECTION_SENT, unseen || has_unread(&standing));
	return 0;
}

/* Some bytes were copied to a task, or only looked at. */
static __always_inline int on_read(const struct sock *sk, bool is_typed)
{
	struct conversation *conversation;
	struct standing standing;
	__u64 key = (__u64)sk;

	if (!listens())
		return 0;
	conversation = bpf_map_lookup_elem(&conversations, &key);
	if (conversation && conversation->direction == DIRECTION_READ)
		return 0;
	/* A softirq reads for the kernel itself, whoever runs there. */
	if (!read_standing(&standing, sk, is_typed) || !standing.is_owned)
		return 0;
	if (!conversation) {
		if (bytes_read(&standing))
			meet(sk, key, &standing, DIRECTION_READ);
		return 0;
	}
	if (standing.copied_seq != conversation->up_to)
		turn(sk, conversation, &standing, DIRECTION_READ, has_unacknowledged(&standing));
	return 0;
}

/* Its memory may be another's next. */
static __always_inline int on_destroy(const struct sock *sk)
{
	__u64 key = (__u64)sk;

	remove_flow(&conversations, &key);
	return 0;
}

static __always_inline bool is_tcp(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
}

#define HOOKS(section, way, is_typed)                                                      \
	SEC(section "/tcp_sendmsg_locked")                                                 \
	int send_##way(__u64 *ctx)                                                         \
	{                                                                                  \
		return on_send((const struct sock *)ctx[0], is_typed, true);               \
	}                                                                                  \
	/* Of any protocol, when the call has ended; the result comes second. */           \
	SEC(section "/sock_send_length")                                                   \
	int sent_##way(__u64 *ctx)                                                         \
	{                                                                                  \
		const struct sock *sk = (const struct sock *)ctx[0];                       \
                                                                                           \
		return (__s32)ctx[1] > 0 && is_tcp(sk) ? on_send(sk, is_typed, false) : 0; \
	}                                                                                  \
	SEC(section "/tcp_rcv_space_adjust")                                               \
	int read_##way(__u64 *ctx)                                                         \
	{                                                                                  \
		return on_read((const struct sock *)ctx[0], is_typed);                     \
	}                                                                                  \
	SEC(section "/tcp_destroy_sock")                                                   \
	int destroy_##way(__u64 *ctx)                                                      \
	{                                                                                  \
		return on_destroy((const struct sock *)ctx[0]);                            \
	}

HOOKS("tp_btf", btf, true)
HOOKS("raw_tp", raw, false)

/* tcp_sendmsg_locked(sk, message, size) */
SEC("fentry/tcp_sendmsg_locked")
int send_fentry(__u64 *ctx)
{
	return ctx[2] ? on_send((const struct sock *)ctx[0], true, true) : 0;
}

SEC("kprobe/tcp_sendmsg_locked")
int send_kprobe(struct pt_regs *ctx)
{
	return PT_REGS_PARM3(ctx) ? on_send((const struct sock *)PT_REGS_PARM1(ctx), false, true)
				  : 0;
}
