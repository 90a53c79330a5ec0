/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space and every probe agree on: configuration, ledger, keys of in-kernel aggregation.
 * The Rust side of these structs is generated from the objects' BTF; nothing is written twice.
 */
#ifndef CHANDRA_ABI_H
#define CHANDRA_ABI_H

#define FILTER_VALUES 8
#define COMM_BYTES    16

/* Read-only at load, so that the verifier removes what is not asked for. */
struct config {
	__u64 wake_interval_ns; /* a wake-up at once when the last one is longer ago than this */
	__u64 wake_bytes;       /* and when this much is pending in the ring */
	__u64 interval_ns;      /* what goes on is told of so often */
	__u64 budget_record_ns; /* of a cgroup's time each record takes so much; 0: no budget */
	__u64 budget_burst_ns;  /* and so much of it may be spent ahead */
	__u64 min_duration_ns;  /* what is shorter is not told of */
	__u64 cgroup_ids[FILTER_VALUES];         /* each stands for itself and what is below it */
	__u32 cgroup_hierarchies[FILTER_VALUES]; /* of those ids; 0: the unified one */
	__u32 pids[FILTER_VALUES];
	__u32 uids[FILTER_VALUES];
	__u16 ports[FILTER_VALUES]; /* host byte order; either end */
	__u8 comms[FILTER_VALUES][COMM_BYTES];
	__u8 cgroup_count;
	__u8 pid_count;
	__u8 uid_count;
	__u8 port_count;
	__u8 comm_count;
	__u8 use_perf_buffer;
	__u8 has_v1_cgroups;     /* the pids or the memory controller is in a v1 hierarchy */
	__u8 selects_cgroups;    /* the map cgroup_selection says whose records pass */
	__u32 kinds;             /* bit n: records of kind n are wanted */
	__u32 group_by;          /* bits of enum group_field; 0: records go to the ring */
	__u32 sends_records;     /* it has a ring, and does not only count; the loader says */
	__u32 selects_paths;     /* the map path_prefixes says which paths pass */
	__u32 sends_environment; /* of programs that are executed */
	__u32 padding;
};

/* A cgroup, as the key of what user space decided of it. */
struct cgroup_key {
	__u64 id;
	__u32 hierarchy; /* 0: the unified one */
	__u32 padding;
};

/*
 * The kernel side of the ledger. For every signal, exactly:
 * seen = filtered + aggregated + sampled_out + rate_limited + lost + submitted
 */
struct counters {
	__u64 seen;
	__u64 filtered;
	__u64 aggregated;
	__u64 sampled_out;
	__u64 rate_limited;
	__u64 lost; /* the ring, or the table of groups, was full */
	__u64 submitted;
	/* Beside the books, of a table of flows: see flow_table.h. */
	__u64 flows_added;
	__u64 flows_removed;
	__u64 flows_evicted;
	__u64 flows_refused;
};

/* The reader's word to the probe. */
struct reader_state {
	__u32 listens;  /* before, nothing that happens is seen */
	__u32 is_awake; /* looks by itself every few milliseconds */
};

enum group_field {
	GROUP_KIND = 1 << 0,
	GROUP_PID = 1 << 1,
	GROUP_UID = 1 << 2,
	GROUP_COMM = 1 << 3,
	GROUP_CGROUP = 1 << 4,
	GROUP_LOCAL_ADDRESS = 1 << 5,
	GROUP_LOCAL_PORT = 1 << 6,
	GROUP_PEER_ADDRESS = 1 << 7,
	GROUP_PEER_PORT = 1 << 8,
	GROUP_STATE = 1 << 9,
	GROUP_CODE = 1 << 10,
	GROUP_LOCATION = 1 << 11,
	GROUP_NET_NAMESPACE = 1 << 12,
	GROUP_PROTOCOL = 1 << 13,
	GROUP_DEVICE = 1 << 14,
	GROUP_NUMBER = 1 << 15,
	GROUP_ERROR = 1 << 16, /* of what is counted in `groups`; a histogram has all */
};

/* Fields that are not grouped by stay zero. */
struct group_key {
	__u64 cgroup_id;
	__u64 location; /* in the kernel's code */
	__u32 kind;
	__u32 pid;
	__u32 uid;
	__u32 code; /* exit status, reset reason, errno, operation: the signal says which */
	__u32 cgroup_hierarchy;
	__u32 net_namespace;
	__u8 comm[COMM_BYTES];
	__u8 local_address[16]; /* of a packet that is nobody's: its source */
	__u8 peer_address[16];  /* its destination */
	__u16 local_port;
	__u16 peer_port;
	__u16 ethertype;
	__u8 protocol; /* of IP */
	__u8 family;
	__u8 state;
	__u8 padding;
	__u16 number; /* an errno, an interrupt's: the signal says which */
	__u32 device; /* of blocks: its major number above the 20 bits of its minor one */
};

/* Bucket n counts values v with 2^n <= v < 2^(n+1); bucket 0 also counts 0. */
#define HISTOGRAM_BUCKETS 64
struct histogram {
	__u64 buckets[HISTOGRAM_BUCKETS];
	__u64 sum;
	__u64 count;
};

#endif
