/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What follows from who has something that is told later, or more than once: a socket, a message.
 *
 * The filters on processes are asked when its owner is met, because they need the task. Whether its cgroup is selected
 * is asked anew for each record: what is remembered is there before a decision may be.
 */
#ifndef CHANDRA_CLAIM_H
#define CHANDRA_CLAIM_H

#include "task.h"

struct claim {
	__u64 selected_by; /* the cgroup, the owner's or one around it, whose selection holds */
	__u32 passes;      /* the filters on processes */
	__u32 is_known;    /* and there is an owner */
};

/* The task has it: who that is, and what follows. */
static __always_inline void claim_for(struct task_struct *task, struct process *process,
				      struct claim *claim)
{
	read_process(task, process);
	claim->is_known = true;
	claim->passes = owner_passes(task, process);
	if (config.selects_cgroups) {
		struct cgroup_key key = cgroup_of(process);

		find_selection(task, &key);
		claim->selected_by = key.id;
	}
}

static __always_inline bool claim_passes(const struct process *process, const struct claim *claim)
{
	struct cgroup_key key = {
		.id = claim->selected_by,
		.hierarchy = process->cgroup_hierarchy,
	};

	if (!claim->passes || !config.selects_cgroups)
		return claim->passes;
	return is_selected(bpf_map_lookup_elem(&cgroup_selection, &key));
}

#endif
