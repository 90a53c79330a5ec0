/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who runs here, for what happens so often that only those fields are read which are asked for: those that are
 * counted by, and those that filters compare. Of the others nothing is to be made.
 */
#ifndef CHANDRA_CURRENT_H
#define CHANDRA_CURRENT_H

#include "task.h"

/* Whether anything is asked for, of fields of these bits beside what a signal has of its own. */
static __always_inline bool asks_for_owner(void)
{
	return filters_owners() || config.selects_cgroups ||
	       (config.group_by & (GROUP_PID | GROUP_UID | GROUP_COMM | GROUP_CGROUP));
}

static __always_inline void read_asked(struct task_struct *task, struct process *process)
{
	__builtin_memset(process, 0, sizeof(*process));
	if (config.pid_count || (config.group_by & GROUP_PID))
		process->pid = bpf_get_current_pid_tgid() >> 32;
	if (config.uid_count || (config.group_by & GROUP_UID))
		process->uid = BPF_CORE_READ(task, real_cred, uid.val);
	if (config.comm_count || (config.group_by & GROUP_COMM)) {
		struct task_struct *leader = BPF_CORE_READ(task, group_leader);

		bpf_core_read_str(process->comm, sizeof(process->comm), &leader->comm);
	}
	if (config.selects_cgroups || (config.group_by & GROUP_CGROUP)) {
		struct cgroup *cgroup = task_cgroup(task);

		process->cgroup_id = BPF_CORE_READ(cgroup, kn, id);
		process->cgroup_hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
	}
}

/* Whether it is to be counted; then `key` has what of it is counted by. */
static __always_inline bool current_passes(struct group_key *key)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct process process;

	if (!asks_for_owner())
		return true;
	read_asked(task, &process);
	if (!process_passes(task, &process))
		return false;
	group_by_process(key, &process);
	return true;
}

#endif
