/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the cpu_profile signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_CPU_PROFILE_EVENT_H
#define CHANDRA_CPU_PROFILE_EVENT_H

#include "sample_types.h"
#include "task.h"

enum cpu_profile_kind {
	KIND_CPU_SAMPLE,
};

/*
 * Behind it: `kernel_frames` addresses, innermost first; `python_frames` frames of Python, as in python_types.h;
 * `user_frames` frames (bits 48 to 63: the executable, 0 for none; the rest: the place in it, or the address);
 * and where the walk could not go on for want of
 * knowledge, `register_count` registers with `stack_bytes` of the user's stack.
 */
struct cpu_sample_record {
	__u64 time_ns; /* CLOCK_BOOTTIME */
	struct process process;
	__u64 exec_id;   /* which of the programs that the process has executed */
	__u64 weight_ns; /* since the tick before on this CPU */
	__u32 thread;
	__u32 kind;
	__u32 cpu;
	__u32 stack_bytes;
	__u16 kernel_frames;
	__u16 user_frames;
	__u16 register_count;
	__u8 user_end; /* enum unwind_end or enum sample_end */
	__u8 flags;
	__u8 thread_comm[COMM_BYTES];
	__u16 python_frames;
	__u8 python_end; /* enum python_end */
	__u8 unused[5];
};

/* Ticks by what became of them. */
struct tick_counts {
	__u64 idle; /* nothing ran */
	__u64 user;
	__u64 kernel;
	__u64 last_ns; /* the moment of the last one, CLOCK_BOOTTIME */
};

#endif
