/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who did it: the fields that every record says of a process, read from its task. */
#ifndef CHANDRA_TASK_H
#define CHANDRA_TASK_H

#include "probe.h"
#include "selection.h"

struct process {
	__u64 start_boottime_ns;
	__u64 cgroup_id;
	__u32 pid;
	__u32 ppid;
	__u32 uid;
	__u32 gid;
	__u8 comm[COMM_BYTES];
	__u32 cgroup_hierarchy; /* that cgroup_id belongs to; 0: the unified one */
	__u32 thread_id;        /* of the task that it was read from */
};
EXPORT(struct, process);

/* Two ways to read a task: by a typed pointer, or by a helper, which costs more. */
#define READ_TYPED(task, field)  ((task)->field)
#define READ_COPIED(task, field) BPF_CORE_READ(task, field)

/* 0: it could run. It has another name since 5.14. */
#define TASK_STATE(read, task)                                         \
	(bpf_core_field_exists(struct task_struct___state, __state)    \
		 ? read((struct task_struct___state *)(task), __state) \
		 : read((struct task_struct___state_before_5_14 *)(task), state))

static __always_inline void read_process(struct task_struct *task, struct process *process)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	const struct cred *cred = BPF_CORE_READ(task, real_cred);
	struct cgroup *cgroup = task_cgroup(task);

	process->start_boottime_ns = BPF_CORE_READ(leader, start_boottime);
	process->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	process->cgroup_hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
	process->pid = BPF_CORE_READ(task, tgid);
	process->thread_id = BPF_CORE_READ(task, pid);
	process->ppid = BPF_CORE_READ(leader, real_parent, tgid);
	process->uid = BPF_CORE_READ(cred, uid.val);
	process->gid = BPF_CORE_READ(cred, gid.val);
	/*
	 * NULs behind the name, so that two of them compare as 16 bytes: an older kernel (5.10) leaves there what
	 * is left of a longer name before.
	 */
	__builtin_memset(process->comm, 0, sizeof(process->comm));
	bpf_core_read_str(process->comm, sizeof(process->comm), &leader->comm);
}

/* What a task has open as this descriptor; NULL for nothing, and for what is none. */
static __always_inline struct file *file_of(struct task_struct *task, __s64 descriptor)
{
	struct file **files, *file = NULL;

	if (descriptor < 0 || descriptor >= BPF_CORE_READ(task, files, fdt, max_fds))
		return NULL;
	files = BPF_CORE_READ(task, files, fdt, fd);
	bpf_probe_read_kernel(&file, sizeof(file), files + descriptor);
	return file;
}

/* The filters on who did it, all but the selection. */
static __always_inline bool owner_passes(struct task_struct *task, const struct process *process)
{
	return pid_passes(process->pid) && uid_passes(process->uid) && comm_passes(process->comm) &&
	       cgroup_passes(task);
}

static __always_inline struct cgroup_key cgroup_of(const struct process *process)
{
	struct cgroup_key key = {
		.id = process->cgroup_id,
		.hierarchy = process->cgroup_hierarchy,
	};

	return key;
}

static __always_inline bool process_passes(struct task_struct *task, const struct process *process)
{
	struct cgroup_key key = cgroup_of(process);

	return owner_passes(task, process) &&
	       (!config.selects_cgroups || is_selected(find_selection(task, &key)));
}

static __always_inline void group_by_process(struct group_key *key, const struct process *process)
{
	if (config.group_by & GROUP_PID)
		key->pid = process->pid;
	if (config.group_by & GROUP_UID)
		key->uid = process->uid;
	if (config.group_by & GROUP_CGROUP) {
		key->cgroup_id = process->cgroup_id;
		key->cgroup_hierarchy = process->cgroup_hierarchy;
	}
	if (config.group_by & GROUP_COMM)
		__builtin_memcpy(key->comm, process->comm, sizeof(key->comm));
}

/* Addresses of 16 bytes, IPv4 in the first four: of this end and the other, or of the source and the destination. */
static __always_inline void group_by_addresses(struct group_key *key, const void *local_address,
					       const void *peer_address, __u16 family)
{
	if (config.group_by & GROUP_LOCAL_ADDRESS)
		__builtin_memcpy(key->local_address, local_address, 16);
	if (config.group_by & GROUP_PEER_ADDRESS)
		__builtin_memcpy(key->peer_address, peer_address, 16);
	if (config.group_by & (GROUP_LOCAL_ADDRESS | GROUP_PEER_ADDRESS))
		key->family = family;
}

static __always_inline void group_by_ports(struct group_key *key, __u16 local_port, __u16 peer_port)
{
	if (config.group_by & GROUP_LOCAL_PORT)
		key->local_port = local_port;
	if (config.group_by & GROUP_PEER_PORT)
		key->peer_port = peer_port;
}

/*
 * Counts a fact of a process, which stands for so many, by what is grouped by; false when records are sent
 * instead.
 */
static __always_inline bool counted_by_group_times(__u32 kind, __u32 code,
						   const struct process *process, __u32 times)
{
	struct group_key key = {};

	if (!config.group_by)
		return false;
	group_by_process(&key, process);
	if (config.group_by & GROUP_KIND)
		key.kind = kind;
	if (config.group_by & GROUP_CODE)
		key.code = code;
	count_group_times(&key, times);
	return true;
}

static __always_inline bool counted_by_group(__u32 kind, __u32 code, const struct process *process)
{
	return counted_by_group_times(kind, code, process, 1);
}

static __always_inline bool filters_owners(void)
{
	return config.pid_count || config.uid_count || config.comm_count || config.cgroup_count;
}

/* What is nobody's passes unless a filter, or the selection, asks for an owner. */
static __always_inline bool nobody_passes(void)
{
	return !filters_owners() && !config.selects_cgroups;
}

#endif
