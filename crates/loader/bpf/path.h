/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths as the kernel's own structures spell them, which no argument can disguise: from a dentry
 * up through its mounts to the task's root. bpf_d_path is not to be had in tracepoints.
 */
#ifndef CHANDRA_PATH_H
#define CHANDRA_PATH_H

#include "probe.h"

#define PATH_BYTES      4096 /* PATH_MAX */
#define PATH_COMPONENTS 48
#define NAME_BYTES      255 /* NAME_MAX */

/*
 * The state of a walk lives in map memory and a step is a global function, so that the verifier
 * checks one step once and not every way through all of them.
 */
struct path_walk {
	struct dentry *dentry;
	struct mount *mount;
	struct dentry *mount_root;
	struct dentry *root_dentry;
	struct mount *root_mount;
	__u32 start;     /* in bytes; the text ends at PATH_BYTES */
	__u32 truncated; /* the walk ended before the root */
	/* Components are written from the end to the front; the slack keeps the verifier's sums. */
	__u8 bytes[PATH_BYTES + NAME_BYTES + 1];
};

enum path_slot {
	PATH_SLOT_TRACEPOINT, /* preemption is off: one walk at a time per CPU */
	PATH_SLOT_ITERATOR,   /* runs where a tracepoint may interrupt it; one reader at a time */
	PATH_SLOTS,
};

/* Bytes: 8,800 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PATH_SLOTS);
	__type(key, __u32);
	__type(value, struct path_walk);
} path_walks SEC(".maps");

static __always_inline struct mount *mount_of(struct vfsmount *vfsmount)
{
	return (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
}

/* One component, or one mount, towards the root. 0 at the end of the way. */
__noinline int path_step(__u32 slot)
{
	struct path_walk *walk = bpf_map_lookup_elem(&path_walks, &slot);
	struct dentry *dentry, *parent;
	__u32 start, length;

	if (!walk)
		return 0;
	dentry = walk->dentry;
	start = walk->start;
	if (dentry == walk->root_dentry && walk->mount == walk->root_mount) {
		walk->truncated = false;
		return 0;
	}
	if (dentry == walk->mount_root) {
		struct mount *mount = walk->mount, *parent_mount = BPF_CORE_READ(mount, mnt_parent);

		if (parent_mount == mount) { /* the root of the mount namespace */
			walk->truncated = false;
			return 0;
		}
		walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
		walk->mount = parent_mount;
		walk->mount_root = BPF_CORE_READ(parent_mount, mnt.mnt_root);
		return 1;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	if (parent == dentry) { /* on no mount */
		walk->truncated = false;
		return 0;
	}
	length = BPF_CORE_READ(dentry, d_name.len) & NAME_BYTES;
	if (start <= length)
		return 0;
	start -= length;
	barrier_on(start);
	if (bpf_probe_read_kernel(&walk->bytes[start & (PATH_BYTES - 1)], length,
				  BPF_CORE_READ(dentry, d_name.name)))
		return 0;
	start -= 1;
	barrier_on(start);
	walk->bytes[start & (PATH_BYTES - 1)] = '/';
	walk->start = start;
	walk->dentry = parent;
	return 1;
}

/* Leaves the path's text in the walk's bytes, from its start to PATH_BYTES. */
static __always_inline struct path_walk *read_path(__u32 slot, struct path *path, struct path *root)
{
	struct path_walk *walk = bpf_map_lookup_elem(&path_walks, &slot);
	struct vfsmount *vfsmount = BPF_CORE_READ(path, mnt);

	if (!walk)
		return NULL;
	walk->dentry = BPF_CORE_READ(path, dentry);
	walk->mount = mount_of(vfsmount);
	walk->mount_root = BPF_CORE_READ(vfsmount, mnt_root);
	walk->root_dentry = BPF_CORE_READ(root, dentry);
	walk->root_mount = mount_of(BPF_CORE_READ(root, mnt));
	walk->start = PATH_BYTES;
	walk->truncated = true;
	for (int i = 0; i < PATH_COMPONENTS; i++)
		if (!path_step(slot))
			break;
	if (walk->start == PATH_BYTES && !walk->truncated) {
		walk->start = PATH_BYTES - 1;
		walk->bytes[PATH_BYTES - 1] = '/';
	}
	return walk;
}

/* Copies the text of a walk to where PATH_BYTES find room; returns its bytes. */
static __always_inline __u32 copy_path(const struct path_walk *walk, void *into)
{
	__u32 start = walk->start, length = PATH_BYTES - start;

	barrier_on(length);
	if (length > PATH_BYTES)
		return 0;
	if (bpf_probe_read_kernel(into, length, &walk->bytes[start & (PATH_BYTES - 1)]))
		return 0;
	return length;
}

#endif
