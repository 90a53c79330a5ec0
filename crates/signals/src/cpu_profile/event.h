/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the cpu_profile signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_CPU_PROFILE_EVENT_H
#define CHANDRA_CPU_PROFILE_EVENT_H

#include "task.h"

enum cpu_profile_kind {
	KIND_CPU_SAMPLE,
};

enum sample_flag {
	SAMPLE_USER_MODE = 1 << 0,        /* the program itself ran, not the kernel for it */
	SAMPLE_KERNEL_TRUNCATED = 1 << 1, /* the kernel's stack is deeper */
	SAMPLE_KERNEL_THREAD = 1 << 2,    /* nothing of it is in user space */
};

/* Why the user's stack ends where it does: enum unwind_end, and beyond it */
enum sample_end {
	SAMPLE_END_NO_USER_STACK = 32,   /* a thread of the kernel */
	SAMPLE_END_UNKNOWN_PROCESS = 33, /* its mappings are not known here (yet) */
	SAMPLE_END_FOREIGN = 34,         /* a program of 32 bits */
};

/*
 * Behind it: `kernel_frames` addresses, innermost first; `user_frames` frames (bits 48 to 63: the executable,
 * 0 for none; the rest: the place in it, or the address); and where the walk could not go on for want of
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
};

/* Ticks by what became of them. */
struct tick_counts {
	__u64 idle; /* nothing ran */
	__u64 user;
	__u64 kernel;
};

/* Executable memory of a process. Those of one process stand together, by their start. */
struct profile_mapping {
	__u64 start;
	__u64 end;
	__u64 offset;     /* in its file */
	__u32 executable; /* its number; 0 for none (code that was made at run time) */
	__u32 has_table;
};

/* The mappings of a process, for as long as it is this one and runs this program. */
struct profiled_process {
	__u64 start_boottime_ns;
	__u64 exec_id;
	__u32 first_mapping;
	__u32 mapping_count;
};

#endif
