/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Signals, when they are sent: who sent which one to whom, and what became of it.
 *
 * The tracepoint runs in the sender, unless there is none: a timer's signal comes while anybody runs, and that
 * of a terminal while its driver does.
 */
#include "budget.h"
#include "event.h"
#include "governed.h"

EXPORT(enum, signal_sent_kind);
EXPORT(enum, signal_sent_flag);
EXPORT(struct, signal_sent_record);

/* include/linux/sched/signal.h: in place of information, where there is none. */
#define SEND_SIG_NOINFO 0 /* a process sends it */
#define SEND_SIG_PRIV   1 /* the kernel does */
#define SIGCHLD         17

static __always_inline void read_target(struct signal_sent_record *record, struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct cgroup *cgroup = task_cgroup(task);

	record->target_start_boottime_ns = BPF_CORE_READ(leader, start_boottime);
	record->target_cgroup_id = BPF_CORE_READ(cgroup, kn, id);
	record->target_cgroup_hierarchy = BPF_CORE_READ(cgroup, root, hierarchy_id);
	record->target_pid = BPF_CORE_READ(task, tgid);
	record->target_thread = BPF_CORE_READ(task, pid);
	bpf_core_read_str(record->target_comm, sizeof(record->target_comm), &leader->comm);
}

/* A code above 0 is the kernel's: what a child's end says, too, though that is the child's own doing. */
static __always_inline __u8 flags_of(int number, __u64 information, __s32 code, bool is_to_itself)
{
	bool is_by_kernel;

	if (information == SEND_SIG_NOINFO)
		return SENT_BY_KNOWN;
	if (information == SEND_SIG_PRIV)
		return SENT_BY_KERNEL | (is_to_itself ? SENT_BY_KNOWN : 0);
	is_by_kernel = code > 0;
	return SENT_CODE | (is_by_kernel ? SENT_BY_KERNEL : 0) |
	       (!is_by_kernel || is_to_itself || number == SIGCHLD ? SENT_BY_KNOWN : 0);
}

static __always_inline int sent(__u64 *ctx)
{
	struct signal_sent_record record = { .kind = KIND_SIGNAL_SENT };
	struct task_struct *sender = (void *)bpf_get_current_task(), *target = (void *)ctx[2];
	struct kernel_siginfo *information = (void *)ctx[1];
	int number = (int)ctx[0];
	__u32 times;

	if (!wanted(KIND_SIGNAL_SENT))
		return 0;
	COUNT(seen);
	times = stands_for();
	if (!times)
		return 0;
	if ((__u64)information > SEND_SIG_PRIV)
		record.code = BPF_CORE_READ(information, si_code);
	record.flags = flags_of(number, (__u64)information, record.code, sender == target);
	if (record.flags & SENT_BY_KNOWN)
		read_process(sender, &record.process);
	if (record.flags & SENT_BY_KNOWN ? !process_passes(sender, &record.process)
					 : !nobody_passes()) {
		COUNT(filtered);
		return 0;
	}
	if (counted_by_group_times(KIND_SIGNAL_SENT, number, &record.process, times))
		return 0;
	record.time_ns = bpf_ktime_get_boot_ns();
	if (!is_within_budget(&record.process, record.time_ns))
		return 0;
	read_target(&record, target);
	record.signal = number;
	record.result = ctx[4];
	record.one_in_log2 = log2_bucket(times);
	if (ctx[3])
		record.flags |= SENT_TO_PROCESS;
	submit(ctx, &record, sizeof(record), record.time_ns);
	return 0;
}

/* signal_generate(number, information, target, to a process, result) */
SEC("tp_btf/signal_generate")
int sent_btf(__u64 *ctx)
{
	return sent(ctx);
}

SEC("raw_tp/signal_generate")
int sent_raw(__u64 *ctx)
{
	return sent(ctx);
}
