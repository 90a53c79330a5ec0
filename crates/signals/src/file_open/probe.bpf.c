/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Files being opened, told when the kernel is done: the path is that of the file it arrived at, whatever
 * links, descriptors and tricks the caller's name went through. Where functions can be hooked that is the
 * one that all ways of opening share; else the system calls. See README.md.
 */
#include "budget.h"
#include "event.h"
#include "governed.h"
#include "open.h"
#include "path.h"
#include "path_selection.h"

EXPORT(enum, file_open_kind);
EXPORT(enum, file_open_flag);
EXPORT(struct, file_open_record);

/* The path, a slash and the name are written below this offset. */
#define DATA_OFFSETS 8192

struct open_scratch {
	struct file_open_record record;
	__u8 data[DATA_OFFSETS + PATH_BYTES];
};

/*
 * Programs here do not interrupt themselves: with preemption off, or kept by the trampoline from running
 * twice on a processor. Bytes: 12,500 x CPUs.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct open_scratch);
} scratch SEC(".maps");

static __always_inline __u32 write_path(struct open_scratch *out, struct task_struct *task,
					struct path *path)
{
	struct path_walk *walk =
		read_path(PATH_SLOT_TRACEPOINT, path, &BPF_CORE_READ(task, fs)->root);

	if (!walk)
		return 0;
	if (walk->truncated)
		out->record.flags |= OPEN_PATH_TRUNCATED;
	return copy_path(walk, out->data);
}

/* Of what was opened: what it is, and where. */
static __always_inline void describe(struct open_scratch *out, struct task_struct *task,
				     struct file *file)
{
	struct file_open_record *record = &out->record;
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	record->flags |= OPEN_RESOLVED;
	if (BPF_CORE_READ(file, f_mode) & FMODE_CREATED)
		record->flags |= OPEN_CREATED;
	record->inode = BPF_CORE_READ(inode, i_ino);
	record->device = BPF_CORE_READ(inode, i_sb, s_dev);
	record->file_mode = BPF_CORE_READ(inode, i_mode);
	record->path_length = write_path(out, task, &file->f_path);
}

/* Of what could not be opened: where its name begins, unless that is at the root. */
static __always_inline void describe_start(struct open_scratch *out, struct task_struct *task,
					   int directory, char first)
{
	if (first == '/')
		return;
	if (directory == AT_FDCWD) {
		out->record.path_length = write_path(out, task, &BPF_CORE_READ(task, fs)->pwd);
	} else if (directory >= 0) {
		struct file *file = file_of(task, directory);

		if (file)
			out->record.path_length = write_path(out, task, &file->f_path);
	}
}

static __always_inline __u32 accesses_of(const struct opening *opening)
{
	__u32 accesses = 0, mode = opening->flags & O_ACCMODE;

	if (opening->flags & O_PATH)
		return PATH_ACCESS_NONE;
	if (mode != O_WRONLY)
		accesses |= PATH_ACCESS_READ;
	if (mode != O_RDONLY || opening->flags & (O_CREAT | O_TRUNC))
		accesses |= PATH_ACCESS_WRITE;
	return accesses;
}

static __always_inline int on_open(void *ctx, const struct opening *opening, struct file *file,
				   __u32 error, int descriptor)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct file_open_record *record;
	struct open_scratch *out;
	__u32 zero = 0, offset, times;
	char first[2] = {}; /* with the end that a string gets */
	long length;
	__u64 size;

	if (!wanted(KIND_FILE_OPEN))
		return 0;
	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out)
		return 0;
	record = &out->record;
	COUNT(seen);
	times = stands_for();
	if (!times)
		return 0;
	if (!pid_passes(bpf_get_current_pid_tgid() >> 32)) {
		COUNT(filtered);
		return 0;
	}
	read_process(task, &record->process);
	if (!process_passes(task, &record->process)) {
		COUNT(filtered);
		return 0;
	}
	record->flags = 0;
	record->inode = 0;
	record->device = 0;
	record->file_mode = 0;
	record->path_length = 0;
	if (file) {
		describe(out, task, file);
	} else {
		read_name(opening, first, sizeof(first));
		describe_start(out, task, opening->directory, first[0]);
	}
	offset = record->path_length;
	barrier_on(offset);
	out->data[offset & (DATA_OFFSETS - 1)] = '/';
	offset += 1;
	barrier_on(offset);
	length = read_name(opening, &out->data[offset & (DATA_OFFSETS - 1)], PATH_BYTES);
	record->name_length = length > 0 ? length - 1 : 0;
	/* An absolute name that failed stands behind the slash. */
	if (!path_passes(record->path_length ? out->data : out->data + 1, accesses_of(opening),
			 error != 0)) {
		COUNT(filtered);
		return 0;
	}
	if (counted_by_group_times(KIND_FILE_OPEN, error, &record->process, times))
		return 0;

	record->time_ns = bpf_ktime_get_boot_ns();
	if (!is_within_budget(&record->process, record->time_ns))
		return 0;
	record->kind = KIND_FILE_OPEN;
	record->one_in_log2 = log2_bucket(times);
	record->open_flags = opening->flags;
	record->mode = opening->mode;
	record->error = error;
	record->descriptor = 0;
	if (descriptor >= 0) {
		record->flags |= OPEN_HAS_DESCRIPTOR;
		record->descriptor = descriptor;
	}
	size = sizeof(*record) + record->path_length + 1 + record->name_length;
	barrier_on(size);
	if (size > sizeof(*out))
		size = sizeof(*out);
	submit(ctx, record, size, record->time_ns);
	return 0;
}

/* A pointer that is an error has a number from -4095 to -1. */
static __always_inline int on_file(void *ctx, const struct opening *opening, struct file *file)
{
	long error = -(long)file;

	if (error > 0 && error <= MAX_ERRNO)
		return on_open(ctx, opening, NULL, error, -1);
	return on_open(ctx, opening, file, 0, -1);
}

SEC("fexit/do_filp_open")
int BPF_PROG(open_fexit, int directory, struct filename *name, const struct open_flags *how,
	     struct file *file)
{
	struct opening opening;

	if (!listens() || !read_opening(&opening, directory, name, how))
		return 0;
	return on_file(ctx, &opening, file);
}

/* What each thread that is in the call was asked for; threads die in calls. Bytes: about 100 an entry. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct opening);
} openings SEC(".maps");

SEC("kprobe/do_filp_open")
int open_kprobe(struct pt_regs *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct opening opening;

	if (listens() && pid_passes(thread >> 32) &&
	    read_opening(&opening, PT_REGS_PARM1(ctx), (void *)PT_REGS_PARM2(ctx),
			 (void *)PT_REGS_PARM3(ctx)))
		bpf_map_update_elem(&openings, &thread, &opening, BPF_ANY);
	return 0;
}

SEC("kretprobe/do_filp_open")
int BPF_KRETPROBE(open_kretprobe, struct file *file)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct opening *found = bpf_map_lookup_elem(&openings, &thread), opening;

	if (!found)
		return 0;
	opening = *found;
	bpf_map_delete_elem(&openings, &thread);
	return on_file(ctx, &opening, file);
}

static __always_inline int on_system_call(void *ctx, const struct opening *opening, long result)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (result < 0)
		return on_open(ctx, opening, NULL, -result, -1);
	return on_open(ctx, opening, file_of(task, result), 0, result);
}

/* The registers that the call came with are still there when it ends. */
#define SYSTEM_CALL(name, ...)                                                            \
	SEC("tracepoint/syscalls/sys_exit_" #name)                                        \
	int name##_exit(struct trace_event_raw_sys_exit *ctx)                             \
	{                                                                                 \
		struct opening opening = { .directory = AT_FDCWD, .is_user_name = true }; \
		struct pt_regs *registers;                                                \
                                                                                          \
		if (!listens())                                                           \
			return 0;                                                         \
		registers = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());         \
		__VA_ARGS__;                                                              \
		return on_system_call(ctx, &opening, ctx->ret);                           \
	}

SYSTEM_CALL(open, opening.name = (void *)PT_REGS_PARM1_CORE_SYSCALL(registers),
	    opening.flags = PT_REGS_PARM2_CORE_SYSCALL(registers),
	    opening.mode = PT_REGS_PARM3_CORE_SYSCALL(registers))
SYSTEM_CALL(creat, opening.name = (void *)PT_REGS_PARM1_CORE_SYSCALL(registers),
	    opening.flags = O_CREAT | O_WRONLY | O_TRUNC,
	    opening.mode = PT_REGS_PARM2_CORE_SYSCALL(registers))
SYSTEM_CALL(openat, opening.directory = PT_REGS_PARM1_CORE_SYSCALL(registers),
	    opening.name = (void *)PT_REGS_PARM2_CORE_SYSCALL(registers),
	    opening.flags = PT_REGS_PARM3_CORE_SYSCALL(registers),
	    opening.mode = PT_REGS_PARM4_CORE_SYSCALL(registers))
SYSTEM_CALL(openat2, opening.directory = PT_REGS_PARM1_CORE_SYSCALL(registers),
	    opening.name = (void *)PT_REGS_PARM2_CORE_SYSCALL(registers),
	    read_open_how(&opening, (void *)PT_REGS_PARM3_CORE_SYSCALL(registers)))
