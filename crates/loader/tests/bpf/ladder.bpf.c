/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs that kernels refuse, each in its own way, beside programs that they take. */

/* So that `config` is not where it usually is, at the beginning of .rodata. */
const volatile unsigned int before_config = 55;

#include "probe.h"

/* Bytes: 8 x 1024 at most; the tests resize it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

/* Bytes: what the configuration takes. What a program saw of it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
} seen_config SEC(".maps");

const volatile __u32 after_config = 77;

SEC("raw_tp/sys_enter")
int good(void)
{
	__u32 zero = 0;
	struct config *seen = bpf_map_lookup_elem(&seen_config, &zero);

	if (seen && before_config == 55 && after_config == 77)
		bpf_probe_read_kernel(seen, sizeof(*seen), (const void *)&config);
	return 0;
}

/* The verifier: no such memory. */
SEC("raw_tp/sys_enter")
int bad_access(__u64 *ctx)
{
	return *(volatile __u64 *)(long)ctx[0];
}

/* The verifier: no such argument. */
SEC("tp_btf/sched_process_fork")
int bad_argument(__u64 *ctx)
{
	return ctx[9];
}

/* libbpf: no such tracepoint in the kernel's types. */
SEC("tp_btf/chandra_no_such_tracepoint")
int no_tracepoint(void)
{
	return 0;
}

SEC("tp/syscalls/chandra_no_such_call")
int no_call(void)
{
	return 0;
}

SEC("kprobe/chandra_no_such_function")
int no_function(void)
{
	return 0;
}

SEC("tp/syscalls/sys_enter_getpgid")
int good_call(void)
{
	COUNT(seen);
	COUNT(filtered);
	return 0;
}

/* Says how to attach to nothing: libbpf answers EOPNOTSUPP. */
SEC("socket")
int not_attachable(void)
{
	return 0;
}

SEC("iter/task")
int tasks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u32 pid;

	if (!task)
		return 0;
	pid = BPF_CORE_READ(task, tgid);
	bpf_seq_write(ctx->meta->seq, &pid, sizeof(pid));
	return 0;
}
