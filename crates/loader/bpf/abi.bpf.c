/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* No program: this object only carries the types of the shared ABI to the loader. */
#include "governed.h"
#include "path_selection.h"
#include "task.h"
