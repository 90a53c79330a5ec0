/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The interrupt signal sends no records: it counts in the kernel. Its operations are named here. */
#ifndef CHANDRA_INTERRUPT_EVENT_H
#define CHANDRA_INTERRUPT_EVENT_H

#include "task.h"

enum interrupt_operation {
	OPERATION_HARD,
	OPERATION_SOFT,
};

#endif
