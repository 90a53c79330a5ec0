/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes: fork, exec and exit, and those that already run. See README.md for what each hook sees. */
#include "budget.h"
#include "event.h"
#include "credentials.h"
#include "listening.h"
#include "path.h"

EXPORT(enum, process_kind);
EXPORT(enum, exec_flag);
EXPORT(enum, listening);
EXPORT(struct, exec_record);
EXPORT(struct, fork_record);
EXPORT(struct, exit_record);

/* Strings are appended below this offset; the longest one still fits behind it. */
#define DATA_OFFSETS 16384

struct exec_scratch {
	struct exec_record record;
	__u8 data[DATA_OFFSETS + ARGV_WHOLE_BYTES + ENVIRONMENT_LEAST_BYTES];
};

/*
 * One exec at a time per CPU: tracepoints run with preemption off. Bytes: 31,000 x CPUs; the kernel allows no
 * value of more than 32,768.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_scratch);
} scratch SEC(".maps");

/* The iterator runs where an exec may interrupt it. One reader at a time. Bytes: 31,000. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct exec_scratch);
} running_scratch SEC(".maps");

/* Multi-threaded processes whose end was reported: several threads may see that none is left. Bytes: about 160,000. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, struct process_key);
	__type(value, __u8);
} ended_processes SEC(".maps");

static __always_inline __u32 append_path(struct exec_scratch *out, enum path_slot slot,
					 __u32 offset, struct path *path, struct path *root)
{
	struct path_walk *walk = read_path(slot, path, root);

	if (!walk)
		return 0;
	if (walk->truncated)
		out->record.flags |= EXEC_PATH_TRUNCATED;
	barrier_on(offset);
	return copy_path(walk, &out->data[offset & (DATA_OFFSETS - 1)]);
}

static __always_inline __u32 append_string(struct exec_scratch *out, __u32 offset, __u32 limit,
					   const char *string)
{
	long length;

	barrier_on(offset);
	length = bpf_probe_read_kernel_str(&out->data[offset & (DATA_OFFSETS - 1)], limit, string);
	return length > 0 ? length - 1 : 0;
}

#define NANOSECONDS 1000000000ULL

/* Within the nanoseconds, since 6.13: somebody has asked (include/linux/fs.h). */
#define I_CTIME_QUERIED (1U << 31)

/* The kernel renamed these fields three times. */
static __always_inline void read_file_times(struct exec_record *record, struct inode *inode)
{
	struct timespec64 changed = {}, modified = {};

	if (bpf_core_field_exists(inode->i_ctime_sec)) {
		changed.tv_sec = BPF_CORE_READ(inode, i_ctime_sec);
		changed.tv_nsec = BPF_CORE_READ(inode, i_ctime_nsec) & ~I_CTIME_QUERIED;
		modified.tv_sec = BPF_CORE_READ(inode, i_mtime_sec);
		modified.tv_nsec = BPF_CORE_READ(inode, i_mtime_nsec);
	} else if (bpf_core_field_exists(((struct inode___both *)0)->__i_mtime)) {
		struct inode___both *both = (void *)inode;

		changed = BPF_CORE_READ(both, __i_ctime);
		modified = BPF_CORE_READ(both, __i_mtime);
	} else if (bpf_core_field_exists(((struct inode___ctime *)0)->__i_ctime)) {
		struct inode___ctime *ctime = (void *)inode;

		changed = BPF_CORE_READ(ctime, __i_ctime);
		modified = BPF_CORE_READ(ctime, i_mtime);
	} else {
		struct inode___old *old = (void *)inode;

		changed = BPF_CORE_READ(old, i_ctime);
		modified = BPF_CORE_READ(old, i_mtime);
	}
	record->exe_change_time_ns = changed.tv_sec * NANOSECONDS + changed.tv_nsec;
	record->exe_modify_time_ns = modified.tv_sec * NANOSECONDS + modified.tv_nsec;
}

/* What a descriptor of the task stands for. */
static __always_inline void read_stream(struct stream *stream, struct task_struct *task,
					__u32 descriptor)
{
	struct file *file = file_of(task, descriptor);
	struct socket *socket;

	__builtin_memset(stream, 0, sizeof(*stream));
	if (!file)
		return;
	stream->mode = BPF_CORE_READ(file, f_inode, i_mode);
	stream->device = BPF_CORE_READ(file, f_inode, i_rdev);
	if ((stream->mode & S_IFMT) != S_IFSOCK)
		return;
	socket = BPF_CORE_READ(file, private_data);
	stream->family = BPF_CORE_READ(socket, sk, __sk_common.skc_family);
}

/* A pid's number at this level of namespaces; 0 where it has none. */
static __always_inline struct upid pid_number(struct pid *pid, __u32 level)
{
	struct upid upid = {};

	if (pid && BPF_CORE_READ(pid, level) >= level)
		bpf_probe_read_kernel(&upid, sizeof(upid),
				      (void *)pid + bpf_core_field_offset(struct pid, numbers) +
					      level * bpf_core_type_size(struct upid));
	return upid;
}

/*
 * The process and its group as its own pid namespace numbers them, which is that of its innermost
 * number. Returns that namespace.
 */
static __always_inline struct pid_namespace *read_pids(struct exec_record *record,
						       struct task_struct *task)
{
	struct task_struct *leader = BPF_CORE_READ(task, group_leader);
	struct pid *group = BPF_CORE_READ(task, signal, pids[PIDTYPE_PGID]);
	struct pid *parent = BPF_CORE_READ(leader, real_parent, group_leader, thread_pid);
	struct pid *pid = BPF_CORE_READ(leader, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct upid own = pid_number(pid, level), shared = pid_number(group, level);

	record->session_id = BPF_CORE_READ(task, signal, pids[PIDTYPE_SID], numbers[0].nr);
	record->process_group = BPF_CORE_READ(group, numbers[0].nr);
	record->virtual_pid = own.nr;
	record->virtual_process_group = shared.ns == own.ns ? shared.nr : 0;
	record->parent_virtual_pid = pid_number(parent, BPF_CORE_READ(parent, level)).nr;
	return own.ns;
}

/*
 * The file that runs. A memfd has no parent and its name begins with "memfd:"; an overlay inode is
 * followed in memory by the pointer to its dentry in the upper layer (struct ovl_inode).
 */
static __always_inline __u32 read_executable(struct exec_scratch *out, enum path_slot slot,
					     struct task_struct *task, __u32 offset)
{
	struct exec_record *record = &out->record;
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct super_block *super = BPF_CORE_READ(inode, i_sb);
	unsigned long magic = BPF_CORE_READ(super, s_magic);
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);

	if (!file) /* a kernel thread */
		return 0;
	record->exe_inode = BPF_CORE_READ(inode, i_ino);
	record->exe_device = BPF_CORE_READ(super, s_dev);
	record->exe_mode = BPF_CORE_READ(inode, i_mode);
	record->exe_uid = BPF_CORE_READ(inode, i_uid.val);
	record->exe_gid = BPF_CORE_READ(inode, i_gid.val);
	read_file_times(record, inode);
	if ((BPF_CORE_READ(super, s_flags) & SB_RDONLY) ||
	    (BPF_CORE_READ(file, f_path.mnt, mnt_flags) & MNT_READONLY))
		record->flags |= EXEC_READ_ONLY;
	if (BPF_CORE_READ(inode, i_nlink) == 0)
		record->flags |= EXEC_DELETED;
	if (magic == OVERLAYFS_SUPER_MAGIC) {
		void *upper = NULL;

		bpf_probe_read_kernel(&upper, sizeof(upper),
				      (void *)inode + bpf_core_type_size(struct inode));
		if (upper)
			record->flags |= EXEC_OVERLAY_UPPER;
	}
	if (BPF_CORE_READ(dentry, d_parent) == dentry) {
		const unsigned char *name = BPF_CORE_READ(dentry, d_name.name);
		char prefix[8] = {};

		bpf_probe_read_kernel(prefix, 6, name);
		if (magic == TMPFS_MAGIC && *(__u64 *)prefix == 0x3a64666d656dULL /* "memfd:" */)
			record->flags |= EXEC_MEMFD;
		/* No path leads here; the name is all there is, written as /proc/PID/exe does. */
		barrier_on(offset);
		out->data[offset & (DATA_OFFSETS - 1)] = '/';
		return 1 + append_string(out, offset + 1, NAME_BYTES + 1, (const char *)name);
	}
	return append_path(out, slot, offset, &file->f_path, &BPF_CORE_READ(task, fs)->root);
}

static __always_inline void read_arguments(struct exec_scratch *out, struct task_struct *task,
					   __u32 *offset)
{
	struct exec_record *record = &out->record;
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	unsigned long start = BPF_CORE_READ(mm, arg_start);
	__u64 total = BPF_CORE_READ(mm, arg_end) - start;
	__u32 head = total;

	record->argv_bytes = total;
	if (total > ARGV_WHOLE_BYTES) {
		head = ARGV_HEAD_BYTES;
		if (!bpf_probe_read_user(&out->data[*offset & (DATA_OFFSETS - 1)], ARGV_TAIL_BYTES,
					 (void *)(start + total - ARGV_TAIL_BYTES))) {
			record->argv_tail_length = ARGV_TAIL_BYTES;
			*offset += ARGV_TAIL_BYTES;
		}
	}
	barrier_on(head);
	if (head > ARGV_WHOLE_BYTES)
		head = ARGV_WHOLE_BYTES;
	barrier_on(*offset);
	if (!bpf_probe_read_user(&out->data[*offset & (DATA_OFFSETS - 1)], head, (void *)start)) {
		record->argv_head_length = head;
		*offset += head;
	}
}

/* The variables, which the kernel has just copied behind the arguments. */
static __always_inline void read_environment(struct exec_scratch *out, struct task_struct *task,
					     __u32 *offset)
{
	struct exec_record *record = &out->record;
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	unsigned long start = BPF_CORE_READ(mm, env_start);
	__u64 total = BPF_CORE_READ(mm, env_end) - start;
	__u64 at = *offset, length;
	long failed = 1;

	record->environment_bytes = total;
	barrier_on(at);
	if (at <= sizeof(out->data) - ENVIRONMENT_BYTES) {
		length = total > ENVIRONMENT_BYTES ? ENVIRONMENT_BYTES : total;
		barrier_on(length);
		if (length <= ENVIRONMENT_BYTES)
			failed = bpf_probe_read_user(&out->data[at], length, (void *)start);
	} else if (at <= sizeof(out->data) - ENVIRONMENT_LEAST_BYTES) {
		length = total > ENVIRONMENT_LEAST_BYTES ? ENVIRONMENT_LEAST_BYTES : total;
		barrier_on(length);
		if (length <= ENVIRONMENT_LEAST_BYTES)
			failed = bpf_probe_read_user(&out->data[at], length, (void *)start);
	}
	if (failed)
		return;
	record->flags |= EXEC_ENVIRONMENT;
	record->environment_length = length;
	*offset += length;
}

/* Everything of the record but what only an exec knows. Returns the bytes of strings written. */
static __always_inline __u32 read_task(struct exec_scratch *out, enum path_slot slot,
				       struct task_struct *task)
{
	struct exec_record *record = &out->record;
	const struct cred *cred = BPF_CORE_READ(task, cred);
	struct nsproxy *nsproxy = BPF_CORE_READ(task, nsproxy);
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct tty_struct *tty = BPF_CORE_READ(signal, tty);
	struct pid_namespace *pid_namespace;

	record->flags = 0;
	record->effective_uid = BPF_CORE_READ(cred, euid.val);
	record->effective_gid = BPF_CORE_READ(cred, egid.val);
	bpf_core_read(&record->capabilities_effective, sizeof(__u64), &cred->cap_effective);
	bpf_core_read(&record->capabilities_permitted, sizeof(__u64), &cred->cap_permitted);
	bpf_core_read(&record->capabilities_inheritable, sizeof(__u64), &cred->cap_inheritable);
	record->user_namespace = BPF_CORE_READ(cred, user_ns, ns.inum);
	record->login_uid = -1;
	if (bpf_core_field_exists(task->loginuid)) {
		record->login_uid = BPF_CORE_READ(task, loginuid.val);
		if (record->login_uid != (__u32)-1)
			record->flags |= EXEC_LOGIN_UID;
	}
	pid_namespace = read_pids(record, task);
	record->pid_namespace = BPF_CORE_READ(pid_namespace, ns.inum);
	record->pid_namespace_start_boottime_ns =
		BPF_CORE_READ(pid_namespace, child_reaper, start_boottime);
	record->mnt_namespace = BPF_CORE_READ(nsproxy, mnt_ns, ns.inum);
	record->net_namespace = BPF_CORE_READ(nsproxy, net_ns, ns.inum);
	record->cgroup_namespace = BPF_CORE_READ(nsproxy, cgroup_ns, ns.inum);
	read_stream(&record->standard_input, task, 0);
	read_stream(&record->standard_output, task, 1);
	__builtin_memset(record->tty, 0, sizeof(record->tty));
	if (tty)
		bpf_core_read_str(record->tty, sizeof(record->tty), &tty->name);
	record->filename_length = 0;
	record->interpreter_length = 0;
	record->argv_head_length = 0;
	record->argv_tail_length = 0;
	record->argv_bytes = 0;
	record->environment_length = 0;
	record->environment_bytes = 0;
	record->listening = read_listening(task);
	record->exe_length = read_executable(out, slot, task, 0);
	return record->exe_length;
}

static __always_inline __u32 read_cwd(struct exec_scratch *out, enum path_slot slot,
				      struct task_struct *task, __u32 offset)
{
	struct fs_struct *fs = BPF_CORE_READ(task, fs);

	out->record.cwd_length = 0;
	if (!fs)
		return 0; /* it has ended */
	out->record.cwd_length = append_path(out, slot, offset, &fs->pwd, &fs->root);
	return out->record.cwd_length;
}

static __always_inline int on_exec(void *ctx, struct task_struct *task, __u32 old_pid,
				   struct linux_binprm *bprm)
{
	const char *filename, *interpreter;
	struct exec_scratch *out;
	struct exec_record *record;
	__u32 zero = 0, strings, credentials;
	__u64 size;

	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out)
		return 0;
	record = &out->record;
	credentials = note_exec(record, task, bprm);
	if (!wanted(KIND_EXEC))
		return 0;
	COUNT(seen);
	read_process(task, &record->process);
	if (!process_passes(task, &record->process)) {
		COUNT(filtered);
		return 0;
	}
	if (counted_by_group(KIND_EXEC, 0, &record->process))
		return 0;

	record->time_ns = bpf_ktime_get_boot_ns();
	if (!is_within_budget(&record->process, record->time_ns))
		return 0;
	record->kind = KIND_EXEC;
	record->old_pid = old_pid;
	strings = read_task(out, PATH_SLOT_TRACEPOINT, task);
	record->flags |= credentials;
	filename = BPF_CORE_READ(bprm, filename);
	interpreter = BPF_CORE_READ(bprm, interp);
	record->filename_length = append_string(out, strings, PATH_BYTES, filename);
	strings += record->filename_length;
	if (interpreter != filename) {
		record->interpreter_length =
			append_string(out, strings, INTERPRETER_BYTES, interpreter);
		strings += record->interpreter_length;
	}
	strings += read_cwd(out, PATH_SLOT_TRACEPOINT, task, strings);
	read_arguments(out, task, &strings);
	if (config.sends_environment)
		read_environment(out, task, &strings);

	size = sizeof(*record) + strings;
	barrier_on(size);
	if (size > sizeof(*record) + sizeof(out->data))
		size = sizeof(*record) + sizeof(out->data);
	submit(ctx, record, size, record->time_ns);
	return 0;
}

/* `child` has its own thread group, or it is a thread and no process was created. */
static __always_inline int on_fork(void *ctx, struct task_struct *parent, struct task_struct *child)
{
	struct fork_record record = { .kind = KIND_FORK };

	if (BPF_CORE_READ(child, pid) != BPF_CORE_READ(child, tgid))
		return 0;
	note_fork(parent, child);
	if (!wanted(KIND_FORK))
		return 0;
	COUNT(seen);
	read_process(child, &record.process);
	if (!process_passes(child, &record.process)) {
		COUNT(filtered);
		return 0;
	}
	if (counted_by_group(KIND_FORK, 0, &record.process))
		return 0;
	record.time_ns = bpf_ktime_get_boot_ns();
	if (!is_within_budget(&record.process, record.time_ns))
		return 0;
	read_process(parent, &record.parent);
	submit(ctx, &record, sizeof(record), record.time_ns);
	return 0;
}

/*
 * Threads count themselves out of `live` and come here later, so the last ones all find it 0; the
 * first of them reports. One that is alone by now may be a leader whose other threads are gone, one
 * of them after it reported.
 */
static __always_inline bool is_first_to_end(struct signal_struct *signal,
					    const struct process *process)
{
	struct process_key key = {
		.start_boottime_ns = process->start_boottime_ns,
		.pid = process->pid,
	};
	__u8 seen = 1;

	if (BPF_CORE_READ(signal, nr_threads) <= 1)
		return !bpf_map_lookup_elem(&ended_processes, &key);
	/* Before 6.4 only the lower half of the result is one: the call is made into the map directly. */
	return (int)bpf_map_update_elem(&ended_processes, &key, &seen, BPF_NOEXIST) != -EEXIST;
}

/*
 * The status that wait(2) will give (kernel/exit.c, wait_task_zombie). Called for every thread that
 * ends; `live` counts those that have not begun to.
 */
static __always_inline int on_exit(void *ctx, struct task_struct *task)
{
	struct signal_struct *signal = BPF_CORE_READ(task, signal);
	struct exit_record record = { .kind = KIND_EXIT };

	if (BPF_CORE_READ(signal, live.counter) != 0)
		return 0;
	note_exit(task);
	if (!wanted(KIND_EXIT))
		return 0;
	read_process(task, &record.process);
	if (!is_first_to_end(signal, &record.process))
		return 0;
	COUNT(seen);
	if (!process_passes(task, &record.process)) {
		COUNT(filtered);
		return 0;
	}
	if (BPF_CORE_READ(signal, flags) & SIGNAL_GROUP_EXIT)
		record.status = BPF_CORE_READ(signal, group_exit_code);
	else
		record.status = BPF_CORE_READ(task, group_leader, exit_code);
	if (counted_by_group(KIND_EXIT, record.status, &record.process))
		return 0;
	record.time_ns = bpf_ktime_get_boot_ns();
	if (!is_within_budget(&record.process, record.time_ns))
		return 0;
	submit(ctx, &record, sizeof(record), record.time_ns);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(exec_btf, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return on_exec(ctx, task, old_pid, bprm);
}

SEC("raw_tp/sched_process_exec")
int BPF_PROG(exec_raw, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	return on_exec(ctx, task, old_pid, bprm);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(fork_btf, struct task_struct *parent, struct task_struct *child)
{
	return on_fork(ctx, parent, child);
}

SEC("raw_tp/sched_process_fork")
int BPF_PROG(fork_raw, struct task_struct *parent, struct task_struct *child)
{
	return on_fork(ctx, parent, child);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exit_btf, struct task_struct *task)
{
	return on_exit(ctx, task);
}

SEC("raw_tp/sched_process_exit")
int BPF_PROG(exit_raw, struct task_struct *task)
{
	return on_exit(ctx, task);
}

SEC("iter/task")
int rights_iter(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task && BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid))
		note_given_up(task);
	return 0;
}

/* Processes that run at start. Their arguments are in memory that only they map: /proc has them. */
SEC("iter/task")
int running_iter(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct exec_scratch *out;
	__u32 zero = 0, strings;
	__u64 size;

	if (!task || BPF_CORE_READ(task, pid) != BPF_CORE_READ(task, tgid))
		return 0;
	if (BPF_CORE_READ(task, signal, live.counter) == 0) /* it waits to be reaped */
		return 0;
	note_running(task);
	out = bpf_map_lookup_elem(&running_scratch, &zero);
	if (!out)
		return 0;
	read_process(task, &out->record.process);
	if (!process_passes(task, &out->record.process))
		return 0;
	out->record.time_ns = bpf_ktime_get_boot_ns();
	out->record.kind = KIND_PROCESS_RUNNING;
	out->record.old_pid = out->record.process.pid;
	strings = read_task(out, PATH_SLOT_ITERATOR, task);
	strings += read_cwd(out, PATH_SLOT_ITERATOR, task, strings);
	size = sizeof(out->record) + strings;
	barrier_on(size);
	if (size > sizeof(out->record) + sizeof(out->data))
		size = sizeof(out->record) + sizeof(out->data);
	bpf_seq_write(ctx->meta->seq, &out->record, size);
	return 0;
}
