/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The block_io signal sends no records: it counts in the kernel. Its operations are named here. */
#ifndef CHANDRA_BLOCK_IO_EVENT_H
#define CHANDRA_BLOCK_IO_EVENT_H

#include "task.h"

enum block_io_operation {
	OPERATION_READ,
	OPERATION_WRITE,
	OPERATION_FLUSH,
	OPERATION_DISCARD,
	OPERATION_OTHER,
};

#endif
