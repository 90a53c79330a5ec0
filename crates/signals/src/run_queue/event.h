/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The run_queue signal sends no records: it counts in the kernel. */
#ifndef CHANDRA_RUN_QUEUE_EVENT_H
#define CHANDRA_RUN_QUEUE_EVENT_H

#include "task.h"

enum run_queue_operation {
	OPERATION_WAIT,
};

#endif
