/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Cgroups that are made, removed, renamed and released, in every hierarchy. The kernel calls each of
 * these tracepoints with the cgroup's path, written into one buffer of its own under a lock with
 * interrupts off; a new cgroup is told of before anyone can see or enter it.
 *
 * The selection of cgroups leaves these records alone: who makes a container's cgroup is never in it,
 * and which cgroups there are is what the selection is made from.
 */
#include "event.h"

EXPORT(enum, cgroup_kind);
EXPORT(struct, cgroup_record);

struct cgroup_scratch {
	struct cgroup_record record;
	__u8 path[CGROUP_PATH_BYTES];
};

/* One at a time per CPU, as interrupts are off. Bytes: 1,130 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cgroup_scratch);
} scratch SEC(".maps");

static __always_inline int on_cgroup(void *ctx, struct cgroup *cgroup, const char *path, __u32 kind)
{
	struct cgroup_record *record;
	struct cgroup_scratch *out;
	__u32 zero = 0;
	__u64 size;
	long length;
	bool passes;

	if (!wanted(kind))
		return 0;
	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out)
		return 0;
	record = &out->record;
	COUNT(seen);
	if (kind == KIND_CGROUP_RELEASE) {
		__builtin_memset(&record->process, 0, sizeof(record->process));
		passes = !filters_owners();
	} else {
		struct task_struct *task = (void *)bpf_get_current_task();

		read_process(task, &record->process);
		passes = owner_passes(task, &record->process);
	}
	if (!passes) {
		COUNT(filtered);
		return 0;
	}
	if (counted_by_group(kind, 0, &record->process))
		return 0;
	record->time_ns = bpf_ktime_get_boot_ns();
	record->id = BPF_CORE_READ(cgroup, kn, id);
	record->parent_id = BPF_CORE_READ(cgroup, self.parent, cgroup, kn, id);
	record->kind = kind;
	record->hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
	record->level = BPF_CORE_READ(cgroup, level);
	length = bpf_probe_read_kernel_str(out->path, sizeof(out->path), path);
	record->path_length = length > 0 ? length - 1 : 0;
	size = sizeof(*record) + record->path_length;
	barrier_on(size);
	if (size > sizeof(*out))
		size = sizeof(*out);
	submit(ctx, out, size, record->time_ns);
	return 0;
}

SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(mkdir_btf, struct cgroup *cgroup, const char *path)
{
	return on_cgroup(ctx, cgroup, path, KIND_CGROUP_MKDIR);
}

SEC("raw_tp/cgroup_mkdir")
int BPF_PROG(mkdir_raw, struct cgroup *cgroup, const char *path)
{
	return on_cgroup(ctx, cgroup, path, KIND_CGROUP_MKDIR);
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(rmdir_btf, struct cgroup *cgroup, const char *path)
{
	return on_cgroup(ctx, cgroup, path, KIND_CGROUP_RMDIR);
}

SEC("raw_tp/cgroup_rmdir")
int BPF_PROG(rmdir_raw, struct cgroup *cgroup, const char *path)
{
	return on_cgroup(ctx, cgroup, path, KIND_CGROUP_RMDIR);
}

SEC("tp_btf/cgroup_rename")
int BPF_PROG(rename_btf, struct cgroup *cgroup, const char *path)
{
	return on_cgroup(ctx, cgroup, path, KIND_CGROUP_RENAME);
}

SEC("raw_tp/cgroup_rename")
int BPF_PROG(rename_raw, struct cgroup *cgroup, const char *path)
{
	return on_cgroup(ctx, cgroup, path, KIND_CGROUP_RENAME);
}

SEC("tp_btf/cgroup_release")
int BPF_PROG(release_btf, struct cgroup *cgroup, const char *path)
{
	return on_cgroup(ctx, cgroup, path, KIND_CGROUP_RELEASE);
}

SEC("raw_tp/cgroup_release")
int BPF_PROG(release_raw, struct cgroup *cgroup, const char *path)
{
	return on_cgroup(ctx, cgroup, path, KIND_CGROUP_RELEASE);
}
