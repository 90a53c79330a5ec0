/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who has a packet's socket open. A packet dies in an interrupt as often as in a system call, and in
 * that of a process that has nothing to do with it, so the current task says nothing by itself. It counts
 * where the socket is among its open files; that is remembered by the socket's inode number, which the
 * kernel does not give twice at a time.
 */
#ifndef CHANDRA_DROP_OWNER_H
#define CHANDRA_DROP_OWNER_H

#include "event.h"

struct owner {
	struct process process;
	__u64 selected_by; /* the cgroup, its own or one around it, whose selection holds */
	__u32 passes;      /* it passes the filters on processes */
	__u32 padding;
};

/* By inode number of the socket. Bytes: 150 x max_entries, allocated at load. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, struct owner);
} owners SEC(".maps");

/* Of so many of a task's open files, from 0 on. */
#define FILES_LOOKED_AT 128

#define STATE_TIME_WAIT        6
#define STATE_CLOSE            7
#define STATE_NEW_SYN_RECEIVED 12

/* Of a connection in these states the kernel keeps a stub, which no file leads to. */
static __always_inline bool is_stub(const struct sock *sk)
{
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	return state == STATE_TIME_WAIT || state == STATE_NEW_SYN_RECEIVED;
}

static __always_inline bool has_open(struct task_struct *task, const struct file *file)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd);
	__u32 count = BPF_CORE_READ(table, max_fds);

	for (__u32 i = 0; i < FILES_LOOKED_AT; i++) {
		struct file *open = NULL;

		if (i >= count || bpf_probe_read_kernel(&open, sizeof(open), files + i))
			return false;
		if (open == file)
			return true;
	}
	return false;
}

static __always_inline void own(struct task_struct *task, struct owner *owner)
{
	__builtin_memset(owner, 0, sizeof(*owner));
	read_process(task, &owner->process);
	owner->passes = owner_passes(task, &owner->process);
	if (config.selects_cgroups) {
		struct cgroup_key key = cgroup_of(&owner->process);

		find_selection(task, &key);
		owner->selected_by = key.id;
	}
}

/* Who is known to have the socket open, written to `owner`; false when nobody is. */
static __always_inline bool find_owner(const struct sock *sk, struct owner *owner)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	const struct owner *known;
	const struct file *file;
	__u64 inode;

	if (!sk || is_stub(sk))
		return false;
	file = BPF_CORE_READ(sk, sk_socket, file);
	inode = BPF_CORE_READ(file, f_inode, i_ino);
	if (!inode)
		return false;
	known = bpf_map_lookup_elem(&owners, &inode);
	if (known) {
		*owner = *known;
		return true;
	}
	if (!has_open(task, file))
		return false;
	own(task, owner);
	bpf_map_update_elem(&owners, &inode, owner, BPF_ANY);
	return true;
}

static __always_inline bool passes(const struct owner *owner)
{
	struct cgroup_key key = {
		.id = owner->selected_by,
		.hierarchy = owner->process.cgroup_hierarchy,
	};

	if (!owner->passes || !config.selects_cgroups)
		return owner->passes;
	return is_selected(bpf_map_lookup_elem(&cgroup_selection, &key));
}

#endif
