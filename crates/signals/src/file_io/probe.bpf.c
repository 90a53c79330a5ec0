/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long reads and writes take, as log2 histograms kept in the kernel. The time is that of
 * vfs_read and vfs_write where functions can be hooked, else that of the syscalls.
 */
#include "event.h"
#include "governed.h"
#include "histogram.h"

EXPORT(enum, file_io_operation);

struct call {
	__u64 start_ns;
	__u64 times; /* so many calls it stands for */
};

/* The call that each thread is in; threads die in calls. Bytes: about 100 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct call);
} started SEC(".maps");

static __always_inline int begin(void)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct call call;

	if (!listens() || !pid_passes(thread >> 32))
		return 0;
	call.times = stands_for();
	if (!call.times) {
		COUNT(seen);
		return 0;
	}
	call.start_ns = bpf_ktime_get_ns();
	bpf_map_update_elem(&started, &thread, &call, BPF_ANY);
	return 0;
}

static __always_inline int end(enum file_io_operation operation)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 thread = bpf_get_current_pid_tgid();
	struct call *found = bpf_map_lookup_elem(&started, &thread), call;
	struct group_key key = { .code = operation };
	struct process process;
	__u64 elapsed;

	if (!found)
		return 0;
	call = *found;
	bpf_map_delete_elem(&started, &thread);
	if (began_unwatched(call.start_ns))
		return 0;
	elapsed = bpf_ktime_get_ns() - call.start_ns;
	COUNT(seen);
	read_process(task, &process);
	if (!process_passes(task, &process)) {
		COUNT(filtered);
		return 0;
	}
	group_by_process(&key, &process);
	count_value_times(&key, elapsed, call.times);
	return 0;
}

#define PROGRAM(section, name, call)                \
	SEC(section)                                \
	int name(void *ctx __attribute__((unused))) \
	{                                           \
		return call;                        \
	}

PROGRAM("fentry/vfs_read", read_fentry, begin())
PROGRAM("fexit/vfs_read", read_fexit, end(OPERATION_READ))
PROGRAM("fentry/vfs_write", write_fentry, begin())
PROGRAM("fexit/vfs_write", write_fexit, end(OPERATION_WRITE))

PROGRAM("kprobe/vfs_read", read_kprobe, begin())
PROGRAM("kretprobe/vfs_read", read_kretprobe, end(OPERATION_READ))
PROGRAM("kprobe/vfs_write", write_kprobe, begin())
PROGRAM("kretprobe/vfs_write", write_kretprobe, end(OPERATION_WRITE))

PROGRAM("tracepoint/syscalls/sys_enter_read", enter_read, begin())
PROGRAM("tracepoint/syscalls/sys_exit_read", exit_read, end(OPERATION_READ))
PROGRAM("tracepoint/syscalls/sys_enter_pread64", enter_pread64, begin())
PROGRAM("tracepoint/syscalls/sys_exit_pread64", exit_pread64, end(OPERATION_READ))
PROGRAM("tracepoint/syscalls/sys_enter_readv", enter_readv, begin())
PROGRAM("tracepoint/syscalls/sys_exit_readv", exit_readv, end(OPERATION_READ))
PROGRAM("tracepoint/syscalls/sys_enter_write", enter_write, begin())
PROGRAM("tracepoint/syscalls/sys_exit_write", exit_write, end(OPERATION_WRITE))
PROGRAM("tracepoint/syscalls/sys_enter_pwrite64", enter_pwrite64, begin())
PROGRAM("tracepoint/syscalls/sys_exit_pwrite64", exit_pwrite64, end(OPERATION_WRITE))
PROGRAM("tracepoint/syscalls/sys_enter_writev", enter_writev, begin())
PROGRAM("tracepoint/syscalls/sys_exit_writev", exit_writev, end(OPERATION_WRITE))
