/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The record of the off_cpu signal, as it crosses the ring. Rust types come from this file's BTF. */
#ifndef CHANDRA_OFF_CPU_EVENT_H
#define CHANDRA_OFF_CPU_EVENT_H

#include "sample_types.h"
#include "task.h"

enum off_cpu_kind {
	KIND_OFF_CPU,
};

/* Why a thread left its CPU, by its state then (include/linux/sched.h). */
enum wait_reason {
	REASON_PREEMPTED,       /* it could have gone on */
	REASON_INTERRUPTIBLE,   /* asleep: a signal wakes it (S) */
	REASON_UNINTERRUPTIBLE, /* asleep: only what it waits for wakes it (D) */
	REASON_STOPPED,         /* by a signal, or by who traces it (T, t) */
	REASON_IDLE,            /* a thread of the kernel without work, or parked (I, P) */
	REASON_OTHER,
};

/* Behind it what is behind a cpu_sample_record: frames of the kernel, of Python, of the user, registers, a stack. */
struct off_cpu_record {
	__u64 time_ns; /* when it came back, CLOCK_BOOTTIME */
	struct process process;
	__u64 exec_id;
	__u64 waited_ns;   /* from leaving a CPU to coming to one */
	__u64 runnable_ns; /* of that: it could have run */
	__u32 thread;
	__u32 kind;
	__u32 cpu; /* that it came to */
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
	__u32 reason;
	__u32 is_io_wait; /* the scheduler counts it as waiting for a disk */
};

/* A thread that is away, or was. */
struct absence {
	__u64 left_ns;  /* CLOCK_MONOTONIC; 0: it is not away */
	__u64 woken_ns; /* 0: not yet */
	__u32 reason;
	__u32 is_io_wait;
};

/* Waits by what became of them, beside the ledger, which has no time. */
struct wait_counts {
	__u64 short_waits; /* of `filtered`: shorter than what is asked for */
	__u64 short_ns;
	__u64 filtered_ns; /* of others that did not pass */
	__u64 told_ns;     /* of what was sent, counted, or found no room */
	__u64 unnoted;     /* of `lost`: departures that there was no room to remember */
	__u64 untold;      /* of `lost`: of a departure, or a return, the kernel told nothing */
	__u64 not_reached; /* sent without the user's stack, because the interrupt did not come */
};

#endif
