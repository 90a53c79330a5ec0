/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The system_call_count signal sends no records: it counts in the kernel. */
#ifndef CHANDRA_SYSTEM_CALL_COUNT_EVENT_H
#define CHANDRA_SYSTEM_CALL_COUNT_EVENT_H

#include "task.h"

/* A call's code is its number; those beyond what any kernel has, and those of 32-bit programs, share one. */
#define CALL_BITS  9
#define CALL_OTHER ((1 << CALL_BITS) - 1)

enum system_call_count_code {
	CODE_OTHER = CALL_OTHER,
};

#endif
