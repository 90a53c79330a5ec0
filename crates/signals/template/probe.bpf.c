/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Threads that change their name: prctl(PR_SET_NAME), pthread_setname_np, /proc/PID/comm. */
#include "event.h"

EXPORT(enum, template_kind);
EXPORT(struct, rename_record);

static __always_inline int on_rename(void *ctx, struct task_struct *task, const char *comm)
{
	struct rename_record record = { .kind = KIND_RENAME };

	if (!wanted(KIND_RENAME))
		return 0;
	COUNT(seen);
	read_process(task, &record.process);
	if (!process_passes(task, &record.process)) {
		COUNT(filtered);
		return 0;
	}
	if (counted_by_group(KIND_RENAME, 0, &record.process))
		return 0;
	record.thread = BPF_CORE_READ(task, pid);
	bpf_probe_read_kernel_str(record.new_comm, sizeof(record.new_comm), comm);
	record.time_ns = bpf_ktime_get_boot_ns();
	submit(ctx, &record, sizeof(record), record.time_ns);
	return 0;
}

SEC("tp_btf/task_rename")
int BPF_PROG(rename_btf, struct task_struct *task, const char *comm)
{
	return on_rename(ctx, task, comm);
}

SEC("raw_tp/task_rename")
int BPF_PROG(rename_raw, struct task_struct *task, const char *comm)
{
	return on_rename(ctx, task, comm);
}
