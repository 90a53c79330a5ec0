/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Calls of 32-bit programs on a 64-bit kernel, which have other numbers. */
#ifndef CHANDRA_COMPAT_H
#define CHANDRA_COMPAT_H

#include "probe.h"

#if defined(__TARGET_ARCH_arm64)

/* arch/arm64/include/asm/mmu.h: of the memory of a program that was executed as one of 32 bits. */
#define MMCF_AARCH32 0x1

static __always_inline bool is_compat(struct task_struct *task)
{
	return BPF_CORE_READ(task, mm, context.flags) & MMCF_AARCH32;
}

#else

/* arch/x86/include/asm/thread_info.h */
#define TS_COMPAT 0x2

static __always_inline bool is_compat(struct task_struct *task)
{
	return bpf_core_field_exists(task->thread_info.status) &&
	       BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
}

#endif

#endif
