/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The selection: which cgroups' records pass, as user space decided it. It knows pods, namespaces and
 * labels; here a cgroup has a number: 0, not selected; above 0, selected, and the number is that of
 * its container; none, not decided yet.
 *
 * What is not decided passes, and user space, which has the last word, drops what it does not want.
 * Where records are counted instead of sent nobody could do that, so there it does not pass.
 *
 * The cgroup that decides is the one that the record names, or the nearest one around it that has an
 * entry: what a container makes below its own cgroup is its own.
 *
 * Cost, where nothing is selected: none, the verifier removes it. Else, by crates/signals/examples/
 * selection_cost on Linux 6.18 (a busy virtual machine with 2 processors, medians of 15 rounds): an exec,
 * whose caches are cold, 2.1 us without; +0.8 us for the cgroup's own entry, +0.3 us for each cgroup
 * that the entry is further out, +2.3 us for an undecided one five deep. A connection (both ends
 * counted, a lookup for each owner and each record), 8.4 us without; +0.4 us, and +1.2 us for an entry
 * three further out. So host processes are worth deciding of, too.
 */
#ifndef CHANDRA_SELECTION_H
#define CHANDRA_SELECTION_H

#include "probe.h"

/*
 * Written by user space alone. Preallocated: a tracing program may run where nothing can be
 * allocated, and before 6.1 the kernel warns of tables in its reach that are not (a PREEMPT_RT kernel
 * refuses them). The price: an entry that is replaced or forgotten while a probe looks at it may be
 * another's by the time the number is read, so one record may pass or not as that other one's would.
 * Bytes: 90 x max_entries; the loader makes it 1 entry when unused.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct cgroup_key);
	__type(value, __u32);
} cgroup_selection SEC(".maps");

/* What was found for a cgroup, NULL for nothing. */
static __always_inline bool is_selected(const __u32 *number)
{
	if (!number)
		return config.sends_records && !config.group_by;
	return *number != 0;
}

/*
 * The entry that decides of a task in the cgroup `key`, which then is that entry's; without one NULL,
 * and `key` stays as it was.
 */
static __always_inline const __u32 *find_selection(struct task_struct *task, struct cgroup_key *key)
{
	const __u32 *number = bpf_map_lookup_elem(&cgroup_selection, key);
	struct cgroup_key around = *key;
	struct cgroup *cgroup;

	if (number)
		return number;
	cgroup = task_cgroup(task);
	for (int depth = 1; depth < CGROUP_DEPTH; depth++) {
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
		if (!cgroup)
			break;
		around.id = BPF_CORE_READ(cgroup, kn, id);
		number = bpf_map_lookup_elem(&cgroup_selection, &around);
		if (number) {
			key->id = around.id;
			return number;
		}
	}
	return NULL;
}

#endif
