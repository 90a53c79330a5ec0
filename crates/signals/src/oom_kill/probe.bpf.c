/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Processes that the kernel kills because there is no memory left, for a cgroup or for the machine.
 *
 * Since 6.9 the kernel hands over the victim (later releases of 6.1 do, too); before, its number only. There
 * the victim is the task that was sent a SIGKILL just before: by the kernel, in one breath with the other. So
 * that one's task is noted, and looked at again when its number comes.
 */
#include "event.h"

EXPORT(enum, oom_kill_kind);
EXPORT(enum, oom_kill_flag);
EXPORT(struct, oom_kill_record);

/* include/linux/sched/signal.h, SEND_SIG_PRIV: the kernel sends it, and nobody may refuse it. */
#define SENT_BY_KERNEL ((void *)1)
#define SIGKILL        9
/* More pages than any memory has: no limit. */
#define NO_LIMIT (1ULL << 40)

/* The tasks that the kernel sent a SIGKILL last, by number. Bytes: about 80 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} killed SEC(".maps");

static __always_inline __u64 not_negative(__s64 pages)
{
	return pages < 0 ? 0 : pages;
}

static __always_inline void read_memory(struct oom_kill_record *record, struct mm_struct *mm)
{
	struct mm_struct___since_6_2 *summed = (void *)mm;
	struct mm_struct___before_6_2 *older = (void *)mm;

	record->total_pages = BPF_CORE_READ(mm, total_vm);
	record->page_table_bytes = not_negative(BPF_CORE_READ(mm, pgtables_bytes.counter));
	if (bpf_core_field_exists(summed->rss_stat[0].count)) {
		record->file_pages =
			not_negative(BPF_CORE_READ(summed, rss_stat[MM_FILEPAGES].count));
		record->anonymous_pages =
			not_negative(BPF_CORE_READ(summed, rss_stat[MM_ANONPAGES].count));
		record->shared_memory_pages =
			not_negative(BPF_CORE_READ(summed, rss_stat[MM_SHMEMPAGES].count));
		record->flags |= OOM_RESIDENT;
	} else if (bpf_core_field_exists(older->rss_stat.count)) {
		record->file_pages =
			not_negative(BPF_CORE_READ(older, rss_stat.count[MM_FILEPAGES].counter));
		record->anonymous_pages =
			not_negative(BPF_CORE_READ(older, rss_stat.count[MM_ANONPAGES].counter));
		record->shared_memory_pages =
			not_negative(BPF_CORE_READ(older, rss_stat.count[MM_SHMEMPAGES].counter));
		record->flags |= OOM_RESIDENT;
	}
}

/* Of the limits that hold for a task, that which leaves the least room. */
static __always_inline void read_limit(struct oom_kill_record *record, struct task_struct *task)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state **states = __builtin_preserve_access_index(&set->subsys[0]);
	struct cgroup_subsys_state *state = NULL;
	__u64 least_room = ~0ULL;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return;
	bpf_probe_read_kernel(&state, sizeof(state),
			      states + bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
	for (int depth = 0; depth < CGROUP_DEPTH && state; depth++) {
		struct mem_cgroup *memory =
			(void *)state - bpf_core_field_offset(struct mem_cgroup, css);
		__u64 limit = BPF_CORE_READ(memory, memory.max);
		__u64 usage = not_negative(BPF_CORE_READ(memory, memory.usage.counter));
		__u64 room = limit > usage ? limit - usage : 0;

		if (limit < NO_LIMIT && room < least_room) {
			struct cgroup *cgroup = BPF_CORE_READ(state, cgroup);

			least_room = room;
			record->limit_cgroup_id = BPF_CORE_READ(cgroup, kn, id);
			record->limit_cgroup_hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
			record->limit_pages = limit;
			record->limit_usage_pages = usage;
			record->flags |= OOM_MEMORY_LIMIT;
		}
		state = BPF_CORE_READ(state, parent);
	}
}

/* `task` is NULL where it is not known whose number that is. */
static __always_inline int on_victim(void *ctx, struct task_struct *task, __u32 thread)
{
	struct oom_kill_record record = { .kind = KIND_OOM_KILL, .victim_thread = thread };
	struct task_struct *allocator = (void *)bpf_get_current_task();

	if (!wanted(KIND_OOM_KILL))
		return 0;
	COUNT(seen);
	if (task)
		read_process(task, &record.process);
	if (task ? !process_passes(task, &record.process) : !nobody_passes()) {
		COUNT(filtered);
		return 0;
	}
	if (counted_by_group(KIND_OOM_KILL, 0, &record.process))
		return 0;
	if (task) {
		record.flags |= OOM_VICTIM;
		record.oom_score_adjustment = BPF_CORE_READ(task, signal, oom_score_adj);
		read_memory(&record, BPF_CORE_READ(task, mm));
		read_limit(&record, task);
	}
	record.allocator_pid = BPF_CORE_READ(allocator, tgid);
	bpf_core_read_str(record.allocator_comm, sizeof(record.allocator_comm), &allocator->comm);
	record.time_ns = bpf_ktime_get_boot_ns();
	submit(ctx, &record, sizeof(record), record.time_ns);
	return 0;
}

static __always_inline int on_signal(int number, void *info, struct task_struct *task)
{
	__u32 thread;
	__u64 pointer = (__u64)task;

	if (number != SIGKILL || info != SENT_BY_KERNEL)
		return 0;
	thread = BPF_CORE_READ(task, pid);
	bpf_map_update_elem(&killed, &thread, &pointer, BPF_ANY);
	return 0;
}

/* One that is on its way out already is marked without a signal; mostly it is the one that runs here. */
static __always_inline int on_number(void *ctx, __u32 thread)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 *pointer;

	if ((__u32)BPF_CORE_READ(task, pid) != thread) {
		pointer = bpf_map_lookup_elem(&killed, &thread);
		task = pointer ? (void *)*pointer : NULL;
		/* The number may be another's by now, and the memory, too. */
		if (task && (__u32)BPF_CORE_READ(task, pid) != thread)
			task = NULL;
	}
	return on_victim(ctx, task, thread);
}

/*
 * mark_victim(task, uid) since 6.9, mark_victim(number) before. A kernel without the second argument refuses a
 * program that reads it, by tp_btf at load and by raw_tp at attachment; so that way is tried first. What was
 * read has to be of use, or the compiler leaves it out.
 */
#define HOOKS(section, way)                                                                  \
	SEC(section "/mark_victim")                                                          \
	int victim_##way(__u64 *ctx)                                                         \
	{                                                                                    \
		struct task_struct *task = (void *)ctx[0];                                   \
		__u64 uid = ctx[1];                                                          \
                                                                                             \
		barrier_on(uid);                                                             \
		return on_victim(ctx, task, BPF_CORE_READ(task, pid));                       \
	}                                                                                    \
	SEC(section "/mark_victim")                                                          \
	int number_##way(__u64 *ctx)                                                         \
	{                                                                                    \
		return on_number(ctx, (__u32)ctx[0]);                                        \
	}                                                                                    \
	SEC(section "/signal_generate")                                                      \
	int signal_##way(__u64 *ctx)                                                         \
	{                                                                                    \
		return on_signal((int)ctx[0], (void *)ctx[1], (struct task_struct *)ctx[2]); \
	}

HOOKS("tp_btf", btf)
HOOKS("raw_tp", raw)
