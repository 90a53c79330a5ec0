/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How many records a second a cgroup may send of a signal, so that one which makes a flood of them spends
 * its own budget and not the ring of all. What is over it is counted: in the ledger, and by cgroup.
 *
 * A bucket of tokens is kept as one number, the time until which what was spent lasts: each record moves it
 * on by the time that its rate gives it, a cgroup at rest has it in the past, and one that has it further
 * ahead than a burst lasts is over its budget. So it is filled again by time alone.
 *
 * No lock, and no result of an atomic instruction, which kernels before 5.12 do not give: processors that
 * look at the same moment may each send one record more than the burst, but all of them are charged, so that
 * the rate holds. Only where a bucket is full at that moment one may overwrite what others have just
 * spent; that costs at most another burst, and in a flood no bucket is full.
 *
 * A cgroup below a container's own has a budget of its own, so a container that may make cgroups has as many budgets
 * as it makes. To charge its container instead takes either user space, which learns of a cgroup a few milliseconds
 * after it was made, when each of those that are made one after another has long spent its burst; or a walk from the
 * task's cgroup outwards to one that is marked as a container's (a container is at no known level: that differs by
 * runtime, driver and quality of service), 0.3 us a level for each record (see selection.h), host processes
 * included, which is ten times the cost below; and records of what is remembered have no task to begin at. What
 * such a container gains is bounded by its limit of cgroups (`cgroup.max.descendants`, the memory that cgroups take)
 * and by the ring, whose losses are counted; records of other signals have rings of their own.
 *
 * Cost, where there is no budget: none, the verifier removes it. Else, by crates/signals/examples/open_cost on
 * Linux 6.18 (a busy virtual machine with 2 processors, medians of 11 rounds), 28 to 53 ns a record.
 */
#ifndef CHANDRA_BUDGET_H
#define CHANDRA_BUDGET_H

#include "task.h"

/*
 * By cgroup; what is nobody's shares one. A bucket that makes room for another was not asked for longest, so
 * it is full, as a new one is. Bytes: about 100 x max_entries; the loader makes it 1 entry when unused.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct cgroup_key);
	__type(value, __u64);
} cgroup_budgets SEC(".maps");

/*
 * Records over budget, by cgroup. User space takes out whose flood is over; those of a cgroup for which there
 * is no room are counted in the ledger only. Bytes: about 90 x max_entries; 1 entry when unused.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct cgroup_key);
	__type(value, __u64);
} cgroup_rate_limited SEC(".maps");

static __always_inline void count_rate_limited(const struct cgroup_key *key)
{
	__u64 none = 0, *count = bpf_map_lookup_elem(&cgroup_rate_limited, key);

	if (!count) {
		/* Where another CPU has just made it, this changes nothing. */
		bpf_map_update_elem(&cgroup_rate_limited, key, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&cgroup_rate_limited, key);
	}
	if (count)
		__sync_fetch_and_add(count, 1);
	/* Last: what the ledger has is with a cgroup by then, for whoever reads the ledger first. */
	COUNT(rate_limited);
}

/* Whether a record of this process could be sent now. Nothing is spent: for what can wait until it could. */
static __always_inline bool has_budget(const struct process *process, __u64 now)
{
	struct cgroup_key key;
	const __u64 *spent_until_ns;

	if (!config.budget_record_ns)
		return true;
	key = cgroup_of(process);
	spent_until_ns = bpf_map_lookup_elem(&cgroup_budgets, &key);
	return !spent_until_ns || *spent_until_ns <= now + config.budget_burst_ns;
}

/* Whether a record of this process may be sent. One that may not is counted, and is over and done with. */
static __always_inline bool is_within_budget(const struct process *process, __u64 now)
{
	struct cgroup_key key;
	__u64 *spent_until_ns, until;

	if (!config.budget_record_ns)
		return true;
	key = cgroup_of(process);
	spent_until_ns = bpf_map_lookup_elem(&cgroup_budgets, &key);
	if (!spent_until_ns) {
		until = now + config.budget_record_ns;
		bpf_map_update_elem(&cgroup_budgets, &key, &until, BPF_NOEXIST);
		return true;
	}
	until = *(volatile __u64 *)spent_until_ns;
	if (until < now) {
		*(volatile __u64 *)spent_until_ns = now;
	} else if (until - now > config.budget_burst_ns) {
		count_rate_limited(&key);
		return false;
	}
	__sync_fetch_and_add(spent_until_ns, config.budget_record_ns);
	return true;
}

#endif
