/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The page_fault signal sends no records: it counts in the kernel. */
#ifndef CHANDRA_PAGE_FAULT_EVENT_H
#define CHANDRA_PAGE_FAULT_EVENT_H

#include "task.h"

enum page_fault_operation {
	FAULT_MINOR,
	FAULT_MAJOR,
};

#endif
