/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets that the kernel throws away, with its own reason where it gives one. See README.md for hooks
 * and their cost.
 *
 * Every drop is counted by (reason, location, network namespace, protocol); of each place in the kernel
 * and reason a few a second are sent as records, so that a flood costs little.
 */
#include "budget.h"
#include "packet.h"
#include "owner.h"
#include "ordinary.h"

EXPORT(enum, drop_kind);
EXPORT(enum, drop_flag);
EXPORT(struct, drop_record);
EXPORT(struct, drop_key);
EXPORT(struct, drop_count);

/*
 * Where a drop is written down on its way. Not on the stack: a verifier follows every value there, and
 * what packets hold has too many combinations for it.
 */
struct scratch {
	struct drop_record record;
	struct owner owner;
	struct group_key group;
	struct cursor at;
	union headers headers;
};

/* Of a task, of a softirq in the middle of that, and one in reserve. */
#define LEVELS 3

/* Bytes: 1,200 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LEVELS);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* How many of them are in use. Bytes: 8 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} level SEC(".maps");

/* Bytes: max_entries x (80 + 16 x CPUs), allocated at load. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct drop_key);
	__type(value, struct drop_count);
} drops SEC(".maps");

/* What found no room there: counted all the same. Bytes: 16 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct drop_count);
} drops_without_key SEC(".maps");

/* No reason of any kernel. */
#define NO_REASON ((__u32)-1)

#define RECORDS_PER_SECOND 10
#define SECOND_NS          1000000000ULL

struct pace_key {
	__u64 location;
	__u64 reason;
};

struct pace {
	__u64 since_ns;
	__u64 records;
};

/* Bytes: 90 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct pace_key);
	__type(value, struct pace);
} paces SEC(".maps");

static __always_inline bool is_of_ip(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return family == AF_INET || family == AF_INET6;
}

static __always_inline void add(struct drop_count *count, __u32 bytes)
{
	__sync_fetch_and_add(&count->packets, 1);
	__sync_fetch_and_add(&count->bytes, bytes);
}

static __always_inline void count_drop(const struct drop_record *record)
{
	struct drop_count first = { .packets = 1, .bytes = record->length_bytes }, *count;
	struct drop_key key = {
		.location = record->location,
		.reason = record->reason,
		.net_namespace = record->net_namespace,
		.ethertype = record->ethertype,
		.protocol = record->protocol,
		.kind = record->kind,
	};
	__u32 zero = 0;

	count = bpf_map_lookup_elem(&drops, &key);
	if (!count) {
		if (!bpf_map_update_elem(&drops, &key, &first, BPF_NOEXIST))
			return;
		/* Another CPU made it first, or the table is full. */
		count = bpf_map_lookup_elem(&drops, &key);
	}
	if (!count)
		count = bpf_map_lookup_elem(&drops_without_key, &zero);
	if (count)
		add(count, record->length_bytes);
}

/* CPUs that ask at the very same moment may each get one more. */
static __always_inline bool may_send(const struct drop_record *record)
{
	struct pace_key key = { .location = record->location, .reason = record->reason };
	struct pace first = { .since_ns = record->time_ns, .records = 1 }, *pace;

	pace = bpf_map_lookup_elem(&paces, &key);
	if (!pace)
		return !bpf_map_update_elem(&paces, &key, &first, BPF_ANY);
	if (record->time_ns - pace->since_ns >= SECOND_NS) {
		pace->since_ns = record->time_ns;
		pace->records = 0;
	}
	if (pace->records >= RECORDS_PER_SECOND)
		return false;
	__sync_fetch_and_add(&pace->records, 1);
	return true;
}

static __always_inline void count_by(struct group_key *key, const struct drop_record *record)
{
	__builtin_memset(key, 0, sizeof(*key));
	if (record->flags & DROP_OWNER_KNOWN)
		group_by_process(key, &record->process);
	if (config.group_by & GROUP_KIND)
		key->kind = record->kind;
	if (config.group_by & GROUP_CODE)
		key->code = record->flags & DROP_REASON_KNOWN ? record->reason : NO_REASON;
	if (config.group_by & GROUP_LOCATION)
		key->location = record->location;
	if (config.group_by & GROUP_NET_NAMESPACE)
		key->net_namespace = record->net_namespace;
	if (config.group_by & GROUP_PROTOCOL) {
		key->ethertype = record->ethertype;
		key->protocol = record->protocol;
	}
	group_by_addresses(key, record->source_address, record->destination_address,
			   record->family);
	group_by_ports(key, record->source_port, record->destination_port);
	count_group(key);
}

/* Writes the owner to the record; false when a filter, or the selection, keeps it out. */
static __always_inline bool owner_is_wanted(const struct sock *sk, struct scratch *out)
{
	if (!find_owner(sk, &out->owner))
		return nobody_passes();
	out->record.flags |= DROP_OWNER_KNOWN;
	out->record.process = out->owner.process;
	return passes(&out->owner);
}

#define GROUPS_BY_OWNER (GROUP_PID | GROUP_UID | GROUP_COMM | GROUP_CGROUP)
#define GROUPS_BY_PORT  (GROUP_LOCAL_PORT | GROUP_PEER_PORT)

/* The record says where and why. */
static __always_inline void on_drop(void *ctx, const struct sk_buff *skb, const struct sock *sk,
				    struct scratch *out)
{
	bool asks_for_owner = !nobody_passes() || config.group_by & GROUPS_BY_OWNER;
	struct drop_record *record = &out->record;

	read_network(skb, &out->at, &out->headers, record);
	read_place(skb, sk, record);
	record->kind = is_ordinary(record, &out->at, sk) ? KIND_PACKET_DISCARD : KIND_PACKET_DROP;
	if (!wanted(record->kind))
		return;
	COUNT(seen);
	record->time_ns = bpf_ktime_get_boot_ns();
	if (!record->ethertype && !(record->flags & DROP_WAS_RECEIVED) && !is_stub(sk))
		read_sender(sk, record);
	if (config.port_count || config.group_by & GROUPS_BY_PORT)
		read_transport(&out->at, record);
	if (!port_passes(record->source_port, record->destination_port) ||
	    (asks_for_owner && !owner_is_wanted(sk, out))) {
		COUNT(filtered);
		return;
	}
	if (config.group_by) {
		count_by(&out->group, record);
		return;
	}
	count_drop(record);
	if (!may_send(record)) {
		COUNT(rate_limited);
		return;
	}
	if (!config.port_count)
		read_transport(&out->at, record);
	record->socket_cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	if (!asks_for_owner)
		owner_is_wanted(sk, out);
	if (record->flags & DROP_OWNER_KNOWN &&
	    !is_within_budget(&record->process, record->time_ns))
		return;
	submit(ctx, record, sizeof(*record), record->time_ns);
}

/*
 * The receiver's socket, which most hooks are not told, else the packet's own. A field is asked rather
 * than the pointer: some verifiers take for granted that an argument is not NULL, others that it may be.
 */
static __always_inline const struct sock *socket_of(const struct sk_buff *skb,
						    const struct sock *receiver)
{
	const struct sock *sk = NULL;

	bpf_probe_read_kernel(&sk, sizeof(sk), &receiver);
	if (!BPF_CORE_READ(sk, __sk_common.skc_family))
		sk = BPF_CORE_READ(skb, sk);
	/* That field is used for a number, too. */
	return BPF_CORE_READ(sk, __sk_common.skc_family) ? sk : NULL;
}

static __always_inline int on_kfree_skb(void *ctx, const struct sk_buff *skb, __u64 location,
					__u32 reason, const struct sock *receiver, __u32 flags)
{
	bool has_reason = flags & DROP_REASON_KNOWN;
	__u32 zero = 0, *used, mine;
	const struct sock *sk;
	struct scratch *out;

	if (!listens() || (has_reason && is_no_drop(reason)))
		return 0;
	if (has_reason && is_ordinary_reason(reason) && !wanted(KIND_PACKET_DISCARD))
		return 0;
	/* Netlink and Unix sockets use the same buffers: no packets. */
	sk = socket_of(skb, receiver);
	if (!BPF_CORE_READ(skb, protocol) && !is_of_ip(sk))
		return 0;
	used = bpf_map_lookup_elem(&level, &zero);
	if (!used)
		return 0;
	mine = *used;
	out = bpf_map_lookup_elem(&scratch, &mine);
	if (!out) {
		COUNT(seen);
		COUNT(lost);
		return 0;
	}
	/* Whoever interrupts from here on takes the next one, and has left it when this goes on. */
	*used = mine + 1;
	barrier();
	__builtin_memset(&out->record, 0, sizeof(out->record));
	out->record.location = location;
	out->record.reason = reason;
	out->record.flags = flags;
	on_drop(ctx, skb, sk, out);
	barrier();
	*used = mine;
	return 0;
}

/*
 * The arguments grew: a reason in 5.17, the receiving socket in 6.11. Asking for more than there are
 * fails at load by tp_btf and at attachment by raw_tp.
 */
#define HOOK(rung, name)                                                                      \
	SEC(rung "/kfree_skb")                                                                \
	int BPF_PROG(kfree_skb_socket_##name, const struct sk_buff *skb, __u64 location,      \
		     __u32 reason, const struct sock *receiver)                               \
	{                                                                                     \
		return on_kfree_skb(ctx, skb, location, reason, receiver, DROP_REASON_KNOWN); \
	}                                                                                     \
	SEC(rung "/kfree_skb")                                                                \
	int BPF_PROG(kfree_skb_reason_##name, const struct sk_buff *skb, __u64 location,      \
		     __u32 reason)                                                            \
	{                                                                                     \
		return on_kfree_skb(ctx, skb, location, reason, NULL, DROP_REASON_KNOWN);     \
	}                                                                                     \
	SEC(rung "/kfree_skb")                                                                \
	int BPF_PROG(kfree_skb_##name, const struct sk_buff *skb, __u64 location)             \
	{                                                                                     \
		return on_kfree_skb(ctx, skb, location, 0, NULL, 0);                          \
	}

HOOK("tp_btf", btf)
HOOK("raw_tp", raw)

/* The sockets that are open at start, in every network namespace, with a process that has them. */
SEC("iter/task_file")
int owners_iter(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *socket;
	struct owner owner;
	__u16 family;
	__u64 inode;

	if (!task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	socket = BPF_CORE_READ(file, private_data);
	family = BPF_CORE_READ(socket, sk, __sk_common.skc_family);
	if (family != AF_INET && family != AF_INET6 && family != AF_PACKET)
		return 0;
	inode = BPF_CORE_READ(file, f_inode, i_ino);
	own(task, &owner);
	if (!bpf_map_update_elem(&owners, &inode, &owner, BPF_NOEXIST))
		bpf_seq_write(ctx->meta->seq, &inode,
			      sizeof(inode)); /* so that they can be counted */
	return 0;
}
