/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What runs on a CPU when its clock ticks: whose it is, the kernel's stack, and the user's.
 *
 * Invariants: every tick is accounted for. One that finds nobody running is counted as idle (`filtered` in
 * the ledger); any other becomes a sample, whole or with the reason why it is not. A process, or a piece of
 * code, that user space has not described yet costs no sample: its registers and the top of its stack go along,
 * for user space to walk.
 */
#include "event.h"

#define SAMPLE_RECORD cpu_sample_record
#include "sample.h"

EXPORT(enum, cpu_profile_kind);
EXPORT(enum, sample_end);
EXPORT(enum, sample_flag);
EXPORT(struct, cpu_sample_record);
EXPORT(struct, profile_mapping);
EXPORT(struct, profiled_process);
EXPORT(struct, python_process);
EXPORT(enum, python_frame_kind);
EXPORT(enum, python_end);
EXPORT(struct, tick_counts);

/* Bytes: 32 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct tick_counts);
} ticks SEC(".maps");

/* The registers of user space; false for a thread that has none. */
static __always_inline bool read_registers(struct tick_context *ctx, struct task_struct *task,
					   struct scratch *scratch)
{
	if (!is_user_mode(ctx))
		return read_saved_registers(task, scratch);
	scratch->record.flags |= SAMPLE_USER_MODE;
#pragma unroll
	for (int i = 0; i < REGISTER_WORDS; i++)
		scratch->registers[i] = ctx->registers[i];
	return true;
}

static __always_inline void read_kernel_stack(struct tick_context *ctx, struct scratch *scratch)
{
	long bytes = bpf_get_stack(ctx, scratch->words, MAX_KERNEL_FRAMES * sizeof(__u64), 0);

	took_kernel_stack(scratch, bytes);
}

static __always_inline struct tick_counts *own_ticks(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&ticks, &zero);
}

/* What the kernel says of an event of perf's: `struct bpf_perf_event_value` of include/uapi/linux/bpf.h. */
struct event_value {
	__u64 counter;
	__u64 enabled; /* for so long, in ns of the clock that stands still with the machine */
	__u64 running;
};

/* A tick that is later than that is looked into. */
#define LATE_PERIODS 4

/*
 * The time that a tick stands for: since the one before on this CPU, but no longer than its clock is there. So a CPU that
 * was taken away does not come back with all that time, nor a machine that slept.
 */
static __always_inline __u64 weight_of_tick(struct tick_context *ctx,
					    const struct tick_counts *counts, __u64 now)
{
	__u64 elapsed_ns = now - counts->last_ns;
	struct event_value value = {};

	if (!counts->last_ns)
		return ctx->sample_period;
	if (elapsed_ns < LATE_PERIODS * ctx->sample_period)
		return elapsed_ns;
	if (bpf_perf_prog_read_value((void *)ctx, (void *)&value, sizeof(value)))
		return elapsed_ns;
	return value.enabled < elapsed_ns ? value.enabled : elapsed_ns;
}

SEC("perf_event")
int sample(struct tick_context *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct scratch *scratch = own_scratch();
	struct tick_counts *counts = own_ticks();
	struct cpu_sample_record *record;
	__u64 now = bpf_ktime_get_boot_ns();

	if (!scratch || !counts || !wanted(KIND_CPU_SAMPLE))
		return 0;
	COUNT(seen);
	record = &scratch->record;
	__builtin_memset(record, 0, sizeof(*record));
	record->weight_ns = weight_of_tick(ctx, counts, now);
	counts->last_ns = now;
	record->thread = BPF_CORE_READ(task, pid);
	if (!record->thread) {
		counts->idle++;
		COUNT(filtered);
		return 0;
	}
	read_process(task, &record->process);
	if (!process_passes(task, &record->process)) {
		COUNT(filtered);
		return 0;
	}
	if (is_user_mode(ctx))
		counts->user++;
	else
		counts->kernel++;
	if (counted_by_group(KIND_CPU_SAMPLE, 0, &record->process))
		return 0;
	record->time_ns = now;
	record->kind = KIND_CPU_SAMPLE;
	record->cpu = bpf_get_smp_processor_id();
	record->exec_id = BPF_CORE_READ(task, self_exec_id);
	bpf_core_read(record->thread_comm, sizeof(record->thread_comm), &task->comm);
	if (!is_user_mode(ctx))
		read_kernel_stack(ctx, scratch);
	return walk_stacks(ctx, scratch, task, read_registers(ctx, task, scratch));
}

SEC("perf_event")
int walk_on(void *ctx)
{
	return walk_part(ctx);
}

SEC("perf_event")
int walk_python(void *ctx)
{
	return python_part(ctx);
}
