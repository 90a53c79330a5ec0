/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * System calls when they are done, those of them that user space wants: what is wanted, and where a call
 * has its paths, is data in a map, so that the probe knows no call by name. See README.md.
 */
#include "budget.h"
#include "compat.h"
#include "event.h"
#include "governed.h"
#include "path.h"

EXPORT(enum, system_call_kind);
EXPORT(enum, system_call_flag);
EXPORT(enum, call_wanted);
EXPORT(enum, call_sending);
EXPORT(struct, system_call_record);
EXPORT(struct, call_shape);

#define AT_FDCWD (-100)
/* include/uapi/linux/in.h */
#define IPPROTO_TCP   6
#define IPPROTO_MPTCP 262
/* include/net/tcp_states.h */
#define STATE_LISTEN 10
/* What an address of a Unix socket has before its path, and that path with an end. */
#define SUN_FAMILY_BYTES 2
#define SUN_PATH_BYTES   109

/* By number; more than any kernel here has. Written by user space alone. Bytes: 16 an entry. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct call_shape);
} call_shapes SEC(".maps");

/* Two paths, each of two parts, are written below this offset. */
#define DATA_OFFSETS 16384

struct call_scratch {
	struct system_call_record record;
	__u8 data[DATA_OFFSETS + PATH_BYTES];
};

/* Preemption is off: one call at a time per CPU. Bytes: 20,800 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct call_scratch);
} scratch SEC(".maps");

static __always_inline __u32 append_path(struct call_scratch *out, struct task_struct *task,
					 struct path *path, __u32 offset)
{
	struct path_walk *walk =
		read_path(PATH_SLOT_TRACEPOINT, path, &BPF_CORE_READ(task, fs)->root);

	if (!walk)
		return 0;
	if (walk->truncated)
		out->record.flags |= CALL_PATH_TRUNCATED;
	barrier_on(offset);
	return copy_path(walk, &out->data[offset & (DATA_OFFSETS - 1)]);
}

static __always_inline bool has_argument(__s8 index)
{
	return index >= 0 && index < CALL_ARGUMENTS;
}

static __always_inline __u64 argument_of(const struct system_call_record *record, __s8 index)
{
	__u64 place = index;

	barrier_on(place);
	if (place >= CALL_ARGUMENTS)
		return 0;
	return record->arguments[place];
}

/* Where a relative name begins. */
static __always_inline __u32 append_start(struct call_scratch *out, struct task_struct *task,
					  __s64 directory, __u32 offset)
{
	struct file *file;

	if ((int)directory == AT_FDCWD)
		return append_path(out, task, &BPF_CORE_READ(task, fs)->pwd, offset);
	file = file_of(task, (int)directory);
	return file ? append_path(out, task, &file->f_path, offset) : 0;
}

/* One path of a caller's with where it begins; returns where the next one does. */
static __always_inline __u32 read_given_path(struct call_scratch *out, struct task_struct *task,
					     const char *name, __u32 limit, __s8 directory,
					     __u32 index, __u32 offset)
{
	struct system_call_record *record = &out->record;
	char first[2] = {}; /* with the end that a string gets */
	long length;

	bpf_probe_read_user_str(first, sizeof(first), name);
	record->start_lengths[index] = 0;
	record->name_lengths[index] = 0;
	if (first[0] != '/' && directory != CALL_TEXT)
		record->start_lengths[index] = append_start(
			out, task,
			has_argument(directory) ? argument_of(record, directory) : AT_FDCWD,
			offset);
	offset += record->start_lengths[index];
	barrier_on(offset);
	out->data[offset & (DATA_OFFSETS - 1)] = '/';
	offset += 1;
	barrier_on(offset);
	length = bpf_probe_read_user_str(&out->data[offset & (DATA_OFFSETS - 1)], limit, name);
	record->name_lengths[index] = length > 0 ? length - 1 : 0;
	return offset + record->name_lengths[index];
}

static __always_inline __u32 read_call_path(struct call_scratch *out, struct task_struct *task,
					    const struct call_shape *shape, __u32 index,
					    __u32 offset)
{
	const char *name = (const char *)argument_of(&out->record, shape->paths[index]);

	return read_given_path(out, task, name, PATH_BYTES, shape->directories[index], index,
			       offset);
}

/* An address in the caller's memory. */
struct given_address {
	const void *start; /* NULL: none */
	__u64 bytes;
};

/* include/linux/socket.h, struct user_msghdr, its beginning */
struct message_header {
	const void *name;
	__u32 name_bytes;
	__u32 padding;
};

static __always_inline struct given_address given_address(const struct system_call_record *record,
							  const struct call_shape *shape)
{
	struct given_address given = {};
	struct message_header header = {};

	if (!has_argument(shape->address))
		return given;
	given.start = (const void *)argument_of(record, shape->address);
	if (shape->sending == CALL_SENDS_MESSAGE) {
		bpf_probe_read_user(&header, sizeof(header), given.start);
		given.start = header.name;
		given.bytes = header.name_bytes;
	} else {
		given.bytes = argument_of(record, shape->address + 1);
	}
	return given;
}

/* The path in the address that a call was given, which the socket did not get. */
static __always_inline __u32 read_given_path_of_socket(struct call_scratch *out,
						       struct task_struct *task,
						       struct given_address given, __u32 offset)
{
	struct system_call_record *record = &out->record;
	const char *name = given.start + SUN_FAMILY_BYTES;
	/* No end is needed where the address has one. */
	__u64 limit = given.bytes - SUN_FAMILY_BYTES + 1;

	barrier_on(limit);
	if (limit > SUN_PATH_BYTES)
		return offset;
	record->path_count = 1;
	return read_given_path(out, task, name, limit, -1, 0, offset);
}

static __always_inline void read_arguments(struct system_call_record *record,
					   struct pt_regs *registers)
{
	record->arguments[0] = PT_REGS_PARM1_CORE_SYSCALL(registers);
	record->arguments[1] = PT_REGS_PARM2_CORE_SYSCALL(registers);
	record->arguments[2] = PT_REGS_PARM3_CORE_SYSCALL(registers);
	record->arguments[3] = PT_REGS_PARM4_CORE_SYSCALL(registers);
	record->arguments[4] = PT_REGS_PARM5_CORE_SYSCALL(registers);
	record->arguments[5] = PT_REGS_PARM6_CORE_SYSCALL(registers);
}

static __always_inline void read_socket(struct system_call_record *record, const struct sock *sk)
{
	record->flags |= CALL_SOCKET;
	record->socket_protocol = BPF_CORE_READ(sk, sk_protocol);
	record->local_port = bpf_ntohs(BPF_CORE_READ((const struct inet_sock *)sk, inet_sport));
	record->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	/* A socket that was accepted is a copy of the one that listens, its limit included. */
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == STATE_LISTEN ||
	    (record->peer_port && BPF_CORE_READ(sk, sk_max_ack_backlog)))
		record->flags |= CALL_SOCKET_SERVER;
	if (record->descriptor_family == AF_INET6) {
		BPF_CORE_READ_INTO(&record->local_address, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&record->peer_address, sk, __sk_common.skc_v6_daddr);
		return;
	}
	__builtin_memset(record->local_address, 0, 16);
	__builtin_memset(record->peer_address, 0, 16);
	*(__u32 *)record->local_address = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	*(__u32 *)record->peer_address = BPF_CORE_READ(sk, __sk_common.skc_daddr);
}

static __always_inline bool is_tcp(const struct system_call_record *record)
{
	return record->flags & CALL_SOCKET &&
	       (record->socket_protocol == IPPROTO_TCP || record->socket_protocol == IPPROTO_MPTCP);
}

/* include/uapi/linux/in.h and in6.h: where sockaddr_in and sockaddr_in6 have an address; and their bytes. */
#define SIN_ADDRESS      4
#define SIN_BYTES        16
#define SIN6_ADDRESS     8
#define SIN6_LEAST_BYTES 24

/*
 * Where the call sent to, if it says so: that goes before the socket's own peer, but over TCP, which does
 * not look at it.
 */
static __always_inline void read_destination(struct system_call_record *record,
					     struct given_address given)
{
	struct {
		__u16 family;
		__be16 port;
	} head = {};

	if (!given.start || given.bytes < SIN_BYTES || !(record->flags & CALL_SOCKET) ||
	    is_tcp(record))
		return;
	if (bpf_probe_read_user(&head, sizeof(head), given.start))
		return;
	if (record->descriptor_family == AF_INET) {
		__builtin_memset(record->peer_address, 0, 16);
		bpf_probe_read_user(record->peer_address, 4, given.start + SIN_ADDRESS);
	} else if (head.family == AF_INET) {
		/* By IPv4 from a socket of IPv6, which has such addresses mapped. */
		__builtin_memset(record->peer_address, 0, 10);
		record->peer_address[10] = record->peer_address[11] = 0xff;
		bpf_probe_read_user(record->peer_address + 12, 4, given.start + SIN_ADDRESS);
	} else if (head.family == AF_INET6 && given.bytes >= SIN6_LEAST_BYTES) {
		bpf_probe_read_user(record->peer_address, 16, given.start + SIN6_ADDRESS);
	} else {
		return;
	}
	record->peer_port = bpf_ntohs(head.port);
	record->flags |= CALL_DESTINATION;
}

/* Of the two ends of a Unix socket the one that has a name: the peer, or itself. */
static __always_inline struct unix_sock *named_end(struct sock *sk)
{
	struct unix_sock *peer = (void *)BPF_CORE_READ((struct unix_sock *)sk, peer);

	return peer && BPF_CORE_READ(peer, addr) ? peer : (void *)sk;
}

/* An abstract name begins with NUL, which reads as `@`. */
static __always_inline __u32 append_abstract_name(struct call_scratch *out, struct unix_sock *end,
						  __u32 offset)
{
	struct unix_address *address = BPF_CORE_READ(end, addr);
	__u32 length = BPF_CORE_READ(address, len) - SUN_FAMILY_BYTES;
	const void *name = __builtin_preserve_access_index(&address->name[0].sun_path);

	barrier_on(length);
	if (!address || !length || length >= SUN_PATH_BYTES)
		return 0;
	if (bpf_probe_read_kernel(&out->data[offset & (DATA_OFFSETS - 1)], length, name))
		return 0;
	if (!out->data[offset & (DATA_OFFSETS - 1)])
		out->data[offset & (DATA_OFFSETS - 1)] = '@';
	return length;
}

/* Files of the kernel's own (namespaces, pipes, memfds) hang in no directory. */
static __always_inline bool has_place(struct path *path)
{
	struct dentry *dentry = BPF_CORE_READ(path, dentry);

	return dentry && (BPF_CORE_READ(dentry, d_parent) != dentry ||
			  BPF_CORE_READ(path, mnt, mnt_root) == dentry);
}

/* What the call's descriptor stands for, unless the call closed it; returns the bytes of its path. */
static __always_inline __u32 read_descriptor(struct call_scratch *out, struct task_struct *task,
					     __s8 argument, __u32 offset)
{
	struct system_call_record *record = &out->record;
	struct unix_sock *end = NULL;
	struct socket *socket;
	struct file *file;
	struct path *path;
	struct sock *sk;

	record->descriptor_mode = 0;
	record->descriptor_family = 0;
	if (!has_argument(argument))
		return 0;
	file = file_of(task, (int)argument_of(record, argument));
	if (!file)
		return 0;
	record->descriptor_mode = BPF_CORE_READ(file, f_inode, i_mode);
	record->flags |= CALL_DESCRIPTOR_OPEN;
	path = &file->f_path;
	if ((record->descriptor_mode & S_IFMT) == S_IFSOCK) {
		socket = BPF_CORE_READ(file, private_data);
		sk = BPF_CORE_READ(socket, sk);
		record->descriptor_family = BPF_CORE_READ(sk, __sk_common.skc_family);
		if (record->descriptor_family == AF_INET || record->descriptor_family == AF_INET6)
			read_socket(record, sk);
		if (record->descriptor_family != AF_UNIX || !bpf_core_type_exists(struct unix_sock))
			return 0;
		end = named_end(sk);
		path = &end->path;
	}
	if (has_place(path))
		return append_path(out, task, path, offset);
	return end ? append_abstract_name(out, end, offset) : 0;
}

static __always_inline int on_exit(void *ctx, struct pt_regs *registers, __u32 number, long result)
{
	__u32 zero = 0, offset = 0, times;
	struct system_call_record *record;
	struct given_address given;
	struct call_shape *shape;
	struct task_struct *task;
	struct call_scratch *out;
	__u64 size;

	shape = bpf_map_lookup_elem(&call_shapes, &number);
	if (!shape || !shape->wanted || !wanted(KIND_SYSTEM_CALL))
		return 0;
	task = (void *)bpf_get_current_task();
	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out || is_compat(task))
		return 0;
	record = &out->record;
	COUNT(seen);
	times = stands_for();
	if (!times)
		return 0;
	if (!pid_passes(bpf_get_current_pid_tgid() >> 32)) {
		COUNT(filtered);
		return 0;
	}
	read_process(task, &record->process);
	if (!process_passes(task, &record->process)) {
		COUNT(filtered);
		return 0;
	}
	if (counted_by_group_times(KIND_SYSTEM_CALL, number, &record->process, times))
		return 0;
	record->time_ns = bpf_ktime_get_boot_ns();
	record->kind = KIND_SYSTEM_CALL;
	record->number = number;
	record->one_in_log2 = log2_bucket(times);
	record->result = result;
	record->flags = 0;
	record->effective_uid = BPF_CORE_READ(task, cred, euid.val);
	read_arguments(record, registers);
	record->path_count = shape->path_count;
	if (shape->path_count > 0)
		offset = read_call_path(out, task, shape, 0, offset);
	if (shape->path_count > 1)
		offset = read_call_path(out, task, shape, 1, offset);
	record->descriptor_path_length = read_descriptor(out, task, shape->descriptor, offset);
	if (shape->wanted == CALL_WANTED_BUT_TCP && is_tcp(record)) {
		COUNT(filtered);
		return 0;
	}
	if (!is_within_budget(&record->process, record->time_ns))
		return 0;
	offset += record->descriptor_path_length;
	if (has_argument(shape->address)) {
		given = given_address(record, shape);
		if (shape->sending)
			read_destination(record, given);
		if (record->descriptor_family == AF_UNIX && !record->descriptor_path_length &&
		    given.start)
			offset = read_given_path_of_socket(out, task, given, offset);
	}
	size = sizeof(*record) + offset;
	barrier_on(size);
	if (size > sizeof(*out))
		size = sizeof(*out);
	submit(ctx, record, size, record->time_ns);
	return 0;
}

#if defined(__TARGET_ARCH_x86)
#define NUMBER orig_ax
#else
#define NUMBER syscallno
#endif

/* Only the calls that it is attached to come by, and none of 32-bit programs. */
SEC("tracepoint")
int exit_tracepoint(struct trace_event_raw_sys_exit *ctx)
{
	struct pt_regs *registers;

	if (!listens())
		return 0;
	registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	return on_exit(ctx, registers, ctx->id, ctx->ret);
}

/* Every call of the machine comes by: the number is read without a helper's help. */
SEC("tp_btf/sys_exit")
int BPF_PROG(exit_btf, struct pt_regs *registers, long result)
{
	return on_exit(ctx, registers, registers->NUMBER, result);
}

SEC("raw_tp/sys_exit")
int BPF_PROG(exit_raw, struct pt_regs *registers, long result)
{
	return on_exit(ctx, registers, BPF_CORE_READ(registers, NUMBER), result);
}
