/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The tcp_request signal sends no records: it counts in the kernel. The ends of a connection are named here. */
#ifndef CHANDRA_TCP_REQUEST_EVENT_H
#define CHANDRA_TCP_REQUEST_EVENT_H

#include "task.h"

enum tcp_request_role {
	ROLE_CLIENT, /* opened the connection */
	ROLE_SERVER, /* accepted it */
};

#endif
