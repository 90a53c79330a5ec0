/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long the handlers of interrupts take, of devices (hard) and what is put off until after them (soft), as
 * histograms kept in the kernel, by number and name.
 *
 * On a CPU handlers of one operation never interrupt each other, and a hard one may interrupt a soft one: so
 * when one began is noted for each CPU and operation. Interrupts are nobody's: they come while anybody runs.
 */
#include "event.h"
#include "governed.h"
#include "histogram.h"

EXPORT(enum, interrupt_operation);

/* include/linux/interrupt.h, in the order of their numbers, as /proc/softirqs names them. */
#define SOFT_VECTORS 10
static const __u8 soft_names[SOFT_VECTORS][COMM_BYTES] = {
	"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
	"IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU",
};

struct handler {
	__u64 started_ns; /* 0: none runs, or it is left out */
	__u32 number;
	__u32 times; /* so many it stands for */
};

/* By operation. Bytes: 32 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct handler);
} running SEC(".maps");

static __always_inline int began(__u32 operation, __u32 number)
{
	struct handler *handler;

	if (!listens())
		return 0;
	handler = bpf_map_lookup_elem(&running, &operation);
	if (!handler)
		return 0;
	handler->times = stands_for();
	if (!handler->times) {
		COUNT(seen);
		handler->started_ns = 0;
		return 0;
	}
	handler->number = number;
	handler->started_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int ended(__u32 operation, __u32 number, struct group_key *key)
{
	struct handler *handler = bpf_map_lookup_elem(&running, &operation);
	__u64 started, elapsed;

	if (!handler || !handler->started_ns || handler->number != number)
		return 0;
	started = handler->started_ns;
	handler->started_ns = 0;
	if (began_unwatched(started))
		return 0;
	elapsed = bpf_ktime_get_ns() - started;
	COUNT(seen);
	if (!nobody_passes()) {
		COUNT(filtered);
		return 0;
	}
	key->code = operation;
	if (config.group_by & GROUP_NUMBER)
		key->number = number;
	if (!(config.group_by & GROUP_COMM))
		__builtin_memset(key->comm, 0, sizeof(key->comm));
	count_value_times(key, elapsed, handler->times);
	return 0;
}

static __always_inline int hard_ended(__u32 number, struct irqaction *action)
{
	struct group_key key = {};

	if (config.group_by & GROUP_COMM)
		bpf_probe_read_kernel_str(key.comm, sizeof(key.comm), BPF_CORE_READ(action, name));
	return ended(OPERATION_HARD, number, &key);
}

static __always_inline int soft_ended(__u32 vector)
{
	struct group_key key = {};
	__u64 index = vector;

	barrier_on(index);
	if (index < SOFT_VECTORS)
		__builtin_memcpy(key.comm, soft_names[index], sizeof(key.comm));
	return ended(OPERATION_SOFT, vector, &key);
}

/* irq_handler_entry(number, action), irq_handler_exit(number, action, result), softirq_*(vector) */
#define HOOKS(section, way)                                                   \
	SEC(section "/irq_handler_entry")                                     \
	int hard_entry_##way(__u64 *ctx)                                      \
	{                                                                     \
		return began(OPERATION_HARD, (__u32)ctx[0]);                  \
	}                                                                     \
	SEC(section "/irq_handler_exit")                                      \
	int hard_exit_##way(__u64 *ctx)                                       \
	{                                                                     \
		return hard_ended((__u32)ctx[0], (struct irqaction *)ctx[1]); \
	}                                                                     \
	SEC(section "/softirq_entry")                                         \
	int soft_entry_##way(__u64 *ctx)                                      \
	{                                                                     \
		return began(OPERATION_SOFT, (__u32)ctx[0]);                  \
	}                                                                     \
	SEC(section "/softirq_exit")                                          \
	int soft_exit_##way(__u64 *ctx)                                       \
	{                                                                     \
		return soft_ended((__u32)ctx[0]);                             \
	}

HOOKS("tp_btf", btf)
HOOKS("raw_tp", raw)
