/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long block devices take for requests, from their being handed to the driver to their end, and
 * how many bytes, by operation and device. Counted in the kernel.
 *
 * Most requests end in an interrupt, of whatever process: they are nobody's. One may end piece by
 * piece; its bytes count as they come, its time when nothing is left.
 */
#include "event.h"
#include "governed.h"
#include "histogram.h"

EXPORT(enum, block_io_operation);

/* include/linux/blk_types.h: the operation is in the lowest bits of a request's flags. */
#define REQ_OP_MASK    0xff
#define REQ_OP_READ    0
#define REQ_OP_WRITE   1
#define REQ_OP_FLUSH   2
#define REQ_OP_DISCARD 3

#define MINOR_BITS 20

struct handed_over {
	__u64 start_ns;
	__u64 times; /* so many requests it stands for */
};

/* Each request that is under way. Bytes: about 90 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct handed_over);
} issued SEC(".maps");

static __always_inline enum block_io_operation operation_of(__u32 flags)
{
	switch (flags & REQ_OP_MASK) {
	case REQ_OP_READ:
		return OPERATION_READ;
	case REQ_OP_WRITE:
		return OPERATION_WRITE;
	case REQ_OP_FLUSH:
		return OPERATION_FLUSH;
	case REQ_OP_DISCARD:
		return OPERATION_DISCARD;
	default:
		return OPERATION_OTHER;
	}
}

static __always_inline int issue(struct request *request)
{
	struct handed_over handed_over;
	__u64 key = (__u64)request;

	if (!listens())
		return 0;
	handed_over.times = stands_for();
	if (!handed_over.times) {
		COUNT(seen);
		return 0;
	}
	handed_over.start_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&issued, &key, &handed_over, BPF_ANY)) {
		COUNT(seen);
		COUNT(lost);
	}
	return 0;
}

/* Bytes have a family of their own, which only is there where groups are counted. */
static __always_inline void count_bytes(const struct group_key *key, __u64 bytes)
{
	__u64 *sum;

	if (!config.group_by || !bytes)
		return;
	sum = bpf_map_lookup_elem(&groups, key);
	if (!sum) {
		__u64 nothing = 0;

		bpf_map_update_elem(&groups, key, &nothing, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&groups, key);
	}
	/* As many groups as histograms, and more room: what is lost here is lost there, too. */
	if (sum)
		__sync_fetch_and_add(sum, bytes);
}

/* A request with data and a flush ends a second time, when it has nothing left. */
static __always_inline bool is_under_way(struct request *request, struct handed_over *handed_over)
{
	__u64 pointer = (__u64)request;
	struct handed_over *found = bpf_map_lookup_elem(&issued, &pointer);

	if (!found)
		return false;
	*handed_over = *found;
	if (!began_unwatched(handed_over->start_ns))
		return true;
	bpf_map_delete_elem(&issued, &pointer);
	return false;
}

/* `left` bytes were to be done before this. */
static __always_inline int complete(struct request *request, const struct handed_over *handed_over,
				    const struct group_key *key, __u32 bytes, __u32 left)
{
	__u64 pointer = (__u64)request, elapsed;

	if (nobody_passes())
		count_bytes(key, bytes * handed_over->times);
	if (bytes < left)
		return 0;
	elapsed = bpf_ktime_get_ns() - handed_over->start_ns;
	bpf_map_delete_elem(&issued, &pointer);
	COUNT(seen);
	if (nobody_passes())
		count_value_times(key, elapsed, handed_over->times);
	else
		COUNT(filtered);
	return 0;
}

/*
 * Before 5.11, and early in 5.10, the queue comes before the request. A kernel without that argument
 * refuses a program that reads a second one, by tp_btf at load and by raw_tp at attachment; so that
 * way is tried first.
 */
#define HOOKS(section, way, read)                                                                  \
	/* NULL for what has no disk: a command to a drive without one. Then its numbers are 0. */ \
	static __always_inline struct gendisk *disk_##way(struct request *request)                 \
	{                                                                                          \
		struct request___with_disk *older = (void *)request;                               \
		struct request_queue *queue;                                                       \
                                                                                                   \
		if (bpf_core_field_exists(older->rq_disk))                                         \
			return read(older, rq_disk);                                               \
		queue = read(request, q);                                                          \
		return read(queue, disk);                                                          \
	}                                                                                          \
	SEC(section "/block_rq_issue")                                                             \
	int issue_queue_##way(__u64 *ctx)                                                          \
	{                                                                                          \
		return issue((struct request *)ctx[1]);                                            \
	}                                                                                          \
	SEC(section "/block_rq_issue")                                                             \
	int issue_##way(__u64 *ctx)                                                                \
	{                                                                                          \
		return issue((struct request *)ctx[0]);                                            \
	}                                                                                          \
	SEC(section "/block_rq_complete")                                                          \
	int complete_##way(__u64 *ctx)                                                             \
	{                                                                                          \
		struct request *request = (void *)ctx[0];                                          \
		struct handed_over handed_over;                                                    \
		struct group_key key = {};                                                         \
                                                                                                   \
		if (!is_under_way(request, &handed_over))                                          \
			return 0;                                                                  \
		key.code = operation_of(read(request, cmd_flags));                                 \
		if (config.group_by & GROUP_DEVICE) {                                              \
			struct gendisk *disk = disk_##way(request);                                \
                                                                                                   \
			key.device = read(disk, major) << MINOR_BITS | read(disk, first_minor);    \
		}                                                                                  \
		return complete(request, &handed_over, &key, (__u32)ctx[2],                        \
				read(request, __data_len));                                        \
	}

HOOKS("tp_btf", btf, READ_TYPED)
HOOKS("raw_tp", raw, READ_COPIED)
