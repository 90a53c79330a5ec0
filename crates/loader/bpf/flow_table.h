/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables of flows, which have room for so many. One of the least recently used (BPF_MAP_TYPE_LRU_HASH) gives the
 * place of a flow that was quiet to a new one, and the kernel says nothing of it. So what comes in is counted, and
 * what is taken out: what is neither out nor there any more was evicted (loader/src/flow_table.rs subtracts).
 *
 * Who evicts by himself counts each one (`flows_evicted`). A flow for which no place is found at all is
 * `flows_refused`. Neither is a door of the ledger: a flow is no fact, and what is told of it later is.
 */
#ifndef CHANDRA_FLOW_TABLE_H
#define CHANDRA_FLOW_TABLE_H

#include "probe.h"

/* Remembers a flow, unless it is remembered already. Whether there was room. */
static __always_inline bool add_flow(void *table, const void *key, const void *flow)
{
	long failed = bpf_map_update_elem(table, key, flow, BPF_NOEXIST);

	if (!failed)
		COUNT(flows_added);
	else if (failed != -EEXIST)
		COUNT(flows_refused);
	return !failed || failed == -EEXIST;
}

/* Remembers a flow, whatever was remembered under its key. */
static __always_inline void put_flow(void *table, const void *key, const void *flow)
{
	long failed = bpf_map_update_elem(table, key, flow, BPF_NOEXIST);

	if (!failed)
		COUNT(flows_added);
	else if (failed != -EEXIST || bpf_map_update_elem(table, key, flow, BPF_ANY))
		COUNT(flows_refused);
}

static __always_inline void remove_flow(void *table, const void *key)
{
	if (!bpf_map_delete_elem(table, key))
		COUNT(flows_removed);
}

#endif
