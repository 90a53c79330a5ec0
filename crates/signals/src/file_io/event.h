/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The file_io signal sends no records: it counts in the kernel. Its operations are named here. */
#ifndef CHANDRA_FILE_IO_EVENT_H
#define CHANDRA_FILE_IO_EVENT_H

#include "task.h"

enum file_io_operation {
	OPERATION_READ,
	OPERATION_WRITE,
};

#endif
