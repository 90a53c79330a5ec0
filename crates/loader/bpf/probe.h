/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every probe does the same way: keep the ledger, filter, count in the kernel or send.
 *
 * Invariants: a fact is `seen` once and then leaves by exactly one door (filtered, aggregated,
 * lost, submitted). Counters are per CPU and still atomic, because a softirq may interrupt a probe
 * that runs in process context on the same CPU.
 */
#ifndef CHANDRA_PROBE_H
#define CHANDRA_PROBE_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_endian.h>
#include "abi.h"

#define barrier_on(value) asm volatile("" : "+r"(value))

/* Names a type in the object's BTF, from which its Rust twin is generated. */
#define EXPORT(kind, name) const kind name *const volatile export_##name = 0

const volatile struct config config = {};
EXPORT(struct, config);
EXPORT(struct, cgroup_key);
EXPORT(struct, counters);
EXPORT(struct, group_key);
EXPORT(struct, histogram);
EXPORT(struct, reader_state);
EXPORT(enum, group_field);

/* Ring buffer, or perf buffer where the loader says so. Bytes: as the loader sizes it. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* Bytes: 88 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} ledger SEC(".maps");

/* Counts by group. Bytes: max_entries x (104 + 8 x CPUs); the loader makes it 1 when unused. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct group_key);
	__type(value, __u64);
} groups SEC(".maps");

/* Bytes: 8. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct reader_state);
} reader SEC(".maps");

static __u64 last_wake_ns;

static __always_inline struct counters *counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ledger, &zero);
}

#define COUNT(field)                                                   \
	({                                                             \
		struct counters *own_counters = counters();            \
		if (own_counters)                                      \
			__sync_fetch_and_add(&own_counters->field, 1); \
	})

static __always_inline struct reader_state *reader_state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&reader, &zero);
}

/* Hooks are attached before there is anyone to tell. */
static __always_inline bool listens(void)
{
	struct reader_state *state = reader_state();

	return state && state->listens;
}

static __always_inline bool wanted(__u32 kind)
{
	return (config.kinds & (1u << kind)) && listens();
}

/*
 * Waking the reader costs an interrupt, several times what the rest of a probe does. So it is woken
 * only when it sleeps, and then once; while it is awake, or on its way, only when much is pending.
 */
static __always_inline __u64 wake_flags(__u64 now)
{
	struct reader_state *state = reader_state();
	__u64 since = now - last_wake_ns;

	if ((state && state->is_awake) || since < config.wake_interval_ns) {
		if (since < config.wake_interval_ns / 16)
			return BPF_RB_NO_WAKEUP;
		if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) < config.wake_bytes)
			return BPF_RB_NO_WAKEUP;
	}
	return BPF_RB_FORCE_WAKEUP;
}

/*
 * Whether there is room for records that can wait. An iterator that goes through what a probe remembers may have
 * more to tell at once than a ring holds, and who runs it is who reads the ring. So it stops where half of the ring
 * is full, by returning 1 (EAGAIN to who reads it), and is run again when that was read.
 */
static __always_inline bool has_room(void)
{
	return config.use_perf_buffer || bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) <
						 bpf_ringbuf_query(&events, BPF_RB_RING_SIZE) / 2;
}

/* A record must stay well below 64 KiB: the perf buffer counts its bytes in 16 bits, unchecked. */
static __always_inline void submit(void *ctx, void *record, __u64 size, __u64 now)
{
	long failed;

	if (config.use_perf_buffer) {
		failed = bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, record, size);
	} else {
		__u64 flags = wake_flags(now);

		failed = bpf_ringbuf_output(&events, record, size, flags);
		/* A record that found no room woke nobody. */
		if (!failed && flags == BPF_RB_FORCE_WAKEUP)
			last_wake_ns = now;
	}
	if (failed)
		COUNT(lost);
	else
		COUNT(submitted);
}

/* Counts a fact that stands for so many. */
static __always_inline void count_group_times(const struct group_key *key, __u32 times)
{
	__u64 first = times, *count = bpf_map_lookup_elem(&groups, key);

	if (!count) {
		if (!bpf_map_update_elem(&groups, key, &first, BPF_NOEXIST)) {
			COUNT(aggregated);
			return;
		}
		/* Another CPU made it first, or the table is full. */
		count = bpf_map_lookup_elem(&groups, key);
	}
	if (count) {
		__sync_fetch_and_add(count, times);
		COUNT(aggregated);
	} else {
		COUNT(lost);
	}
}

static __always_inline void count_group(const struct group_key *key)
{
	count_group_times(key, 1);
}

/* Where a task is in the v1 hierarchy of a controller; NULL where that one is unified. */
static __always_inline struct cgroup *v1_cgroup(struct css_set *set, __u32 controller)
{
	struct cgroup_subsys_state **states = __builtin_preserve_access_index(&set->subsys[0]);
	struct cgroup_subsys_state *state = NULL;
	struct cgroup *cgroup;

	bpf_probe_read_kernel(&state, sizeof(state), states + controller);
	cgroup = BPF_CORE_READ(state, cgroup);
	if (!cgroup || BPF_CORE_READ(cgroup, root, hierarchy_id) == 0)
		return NULL;
	return cgroup;
}

static __always_inline struct cgroup *v1_pids_cgroup(struct css_set *set)
{
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, pids_cgrp_id))
		return NULL;
	return v1_cgroup(set, bpf_core_enum_value(enum cgroup_subsys_id, pids_cgrp_id));
}

static __always_inline struct cgroup *v1_memory_cgroup(struct css_set *set)
{
	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return NULL;
	return v1_cgroup(set, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
}

static __always_inline bool is_root(struct cgroup *cgroup)
{
	return !cgroup || BPF_CORE_READ(cgroup, level) == 0;
}

/*
 * The one cgroup that says most of a task: on a v2 host that of the unified hierarchy. Where there
 * are v1 hierarchies, runtimes put containers into those, and the unified cgroup then is the root, or
 * that of the service that started the runtime; every runtime uses the pids controller, so its cgroup
 * comes first unless it is the root, and that of memory last.
 */
static __always_inline struct cgroup *task_cgroup(struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup *unified = BPF_CORE_READ(set, dfl_cgrp), *cgroup;

	if (!config.has_v1_cgroups)
		return unified;
	cgroup = v1_pids_cgroup(set);
	if (!is_root(cgroup))
		return cgroup;
	if (!is_root(unified))
		return unified;
	cgroup = v1_memory_cgroup(set);
	return is_root(cgroup) ? unified : cgroup;
}

#define CGROUP_DEPTH 24

/* It is, or is below, one that is asked for. */
static __always_inline bool is_wanted_cgroup(struct cgroup *cgroup)
{
	__u32 hierarchy;

	if (!cgroup)
		return false;
	hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
	for (int depth = 0; depth < CGROUP_DEPTH && cgroup; depth++) {
		__u64 id = BPF_CORE_READ(cgroup, kn, id);

		for (int i = 0; i < FILTER_VALUES; i++)
			if (i < config.cgroup_count && config.cgroup_ids[i] == id &&
			    config.cgroup_hierarchies[i] == hierarchy)
				return true;
		cgroup = BPF_CORE_READ(cgroup, self.parent, cgroup);
	}
	return false;
}

static __always_inline bool cgroup_passes(struct task_struct *task)
{
	struct css_set *set;

	if (!config.cgroup_count)
		return true;
	set = BPF_CORE_READ(task, cgroups);
	if (is_wanted_cgroup(BPF_CORE_READ(set, dfl_cgrp)))
		return true;
	return config.has_v1_cgroups &&
	       (is_wanted_cgroup(v1_pids_cgroup(set)) || is_wanted_cgroup(v1_memory_cgroup(set)));
}

static __always_inline bool pid_passes(__u32 pid)
{
	if (!config.pid_count)
		return true;
	for (int i = 0; i < FILTER_VALUES; i++)
		if (i < config.pid_count && config.pids[i] == pid)
			return true;
	return false;
}

static __always_inline bool uid_passes(__u32 uid)
{
	if (!config.uid_count)
		return true;
	for (int i = 0; i < FILTER_VALUES; i++)
		if (i < config.uid_count && config.uids[i] == uid)
			return true;
	return false;
}

static __always_inline bool port_passes(__u16 local, __u16 peer)
{
	if (!config.port_count)
		return true;
	for (int i = 0; i < FILTER_VALUES; i++)
		if (i < config.port_count && (config.ports[i] == local || config.ports[i] == peer))
			return true;
	return false;
}

/* A name as long as a comm can be must match whole: the kernel cut it there too. */
static __always_inline bool comm_passes(const __u8 *comm)
{
	const __u64 *have = (const __u64 *)comm;

	if (!config.comm_count)
		return true;
	for (int i = 0; i < FILTER_VALUES; i++) {
		const volatile __u64 *want = (const volatile __u64 *)config.comms[i];

		if (i < config.comm_count && want[0] == have[0] && want[1] == have[1])
			return true;
	}
	return false;
}

static __always_inline __u32 log2_bucket(__u64 value)
{
	__u32 bucket = 0;

	if (value >> 32) {
		value >>= 32;
		bucket += 32;
	}
	if (value >> 16) {
		value >>= 16;
		bucket += 16;
	}
	if (value >> 8) {
		value >>= 8;
		bucket += 8;
	}
	if (value >> 4) {
		value >>= 4;
		bucket += 4;
	}
	if (value >> 2) {
		value >>= 2;
		bucket += 2;
	}
	return bucket + (value >> 1);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#endif
