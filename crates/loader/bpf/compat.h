/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Calls of 32-bit programs on a 64-bit kernel, which have other numbers. */
#ifndef CHANDRA_COMPAT_H
#define CHANDRA_COMPAT_H

#include "probe.h"

/* arch/x86/include/asm/thread_info.h */
#define TS_COMPAT 0x2

static __always_inline bool is_compat(struct task_struct *task)
{
	return bpf_core_field_exists(task->thread_info.status) &&
	       BPF_CORE_READ(task, thread_info.status) & TS_COMPAT;
}

#endif
