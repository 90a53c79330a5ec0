/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Page faults, when the kernel has served one, by what it took: minor, memory that was there; major, a read
 * from a disk. Counted in the kernel, for whom it was served.
 *
 * The kernel runs these programs where it keeps its own account (getrusage(2)), so that the two agree. Its
 * tracepoints of faults are at their beginning: they do not know what it will take, and are on x86 only.
 */
#include "current.h"
#include "event.h"
#include "governed.h"

EXPORT(enum, page_fault_operation);

static __always_inline int on_fault(enum page_fault_operation operation)
{
	struct group_key key = {};
	__u32 times;

	if (!listens())
		return 0;
	COUNT(seen);
	times = stands_for();
	if (!times)
		return 0;
	if (!current_passes(&key)) {
		COUNT(filtered);
		return 0;
	}
	if (config.group_by & GROUP_CODE)
		key.code = operation;
	count_group_times(&key, times);
	return 0;
}

/* Their names say which events run them: see crates/loader/src/software_event.rs. */
SEC("perf_event")
int page_fault_minor(void *ctx __attribute__((unused)))
{
	return on_fault(FAULT_MINOR);
}

SEC("perf_event")
int page_fault_major(void *ctx __attribute__((unused)))
{
	return on_fault(FAULT_MAJOR);
}
