/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rights that a process cannot have got in a lawful way: a credential jump, as an exploit of the kernel
 * leaves it behind.
 *
 * Of each process the credentials are remembered that it had when it last executed a program, or when it
 * was forked. Between that and its next exec only system calls can have changed them, and of these it is
 * known what they can do (kernel/sys.c, security/commoncap.c, kernel/user_namespace.c); what an exec adds is
 * known as well. Whatever else it has by then is a jump. So nobody's name matters: not sudo's, not a runtime's.
 *
 * - A user id is lawful if it was the real, effective or saved one, if it is the owner of the set-user-id
 *   file that runs, or if the process could set user ids and its user namespace has that one.
 * - Capabilities count in one user namespace. There the bounding set never grows; the permitted set grows
 *   at an exec only, and never beyond what it, the inheritable and the bounding set were; ambient ones were
 *   permitted before.
 * - User namespaces are entered downwards only, and whoever enters one has all capabilities in it.
 *
 * What a process gave up by itself is looked for now and then: from then on it is held against what it kept.
 *
 * Credentials are a thread's own, but those of every thread come from the ones that its process had at its
 * last exec, so those of any thread can be held against these.
 */
#ifndef CHANDRA_CREDENTIALS_H
#define CHANDRA_CREDENTIALS_H

#include "event.h"

struct process_key {
	__u64 start_boottime_ns;
	__u32 pid;
	__u32 padding;
};

struct credentials {
	__u64 user_namespace; /* its address */
	__u64 permitted;
	__u64 inheritable;
	__u64 bounding;
	__u64 ambient;
	__u32 user_namespace_inode;
	__u32 uid;
	__u32 effective_uid;
	__u32 saved_uid;
	__u32 has_jumped; /* a fork saw that its process had more than these by then */
	__u32 padding;
};

/*
 * The credentials that processes had. Who ends leaves, so that only more than this many at a time push others
 * out, and of those that were pushed out a jump is not known. Bytes: 4,500,000 or so.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct process_key);
	__type(value, struct credentials);
} remembered_credentials SEC(".maps");

#define CAPABILITY(number) (1ULL << (number))

/* Namespaces within namespaces that there can be (user_namespaces(7)). */
#define USER_NAMESPACE_LEVELS 33

static __always_inline struct process_key key_of(struct task_struct *task)
{
	struct process_key key = {
		.start_boottime_ns = BPF_CORE_READ(task, group_leader, start_boottime),
		.pid = BPF_CORE_READ(task, tgid),
	};

	return key;
}

/* Those of the task itself: others may be lent to it while the kernel does something for it. */
static __always_inline void read_credentials(struct credentials *credentials,
					     struct task_struct *task)
{
	const struct cred *cred = BPF_CORE_READ(task, real_cred);
	struct user_namespace *user_namespace = BPF_CORE_READ(cred, user_ns);

	credentials->user_namespace = (__u64)user_namespace;
	credentials->user_namespace_inode = BPF_CORE_READ(user_namespace, ns.inum);
	bpf_core_read(&credentials->permitted, sizeof(__u64), &cred->cap_permitted);
	bpf_core_read(&credentials->inheritable, sizeof(__u64), &cred->cap_inheritable);
	bpf_core_read(&credentials->bounding, sizeof(__u64), &cred->cap_bset);
	bpf_core_read(&credentials->ambient, sizeof(__u64), &cred->cap_ambient);
	credentials->uid = BPF_CORE_READ(cred, uid.val);
	credentials->effective_uid = BPF_CORE_READ(cred, euid.val);
	credentials->saved_uid = BPF_CORE_READ(cred, suid.val);
}

/* The user namespace has this user id, so that who may set user ids in it can set this one. */
__noinline int has_uid(__u64 user_namespace, __u32 uid)
{
	struct user_namespace *namespace = (void *)user_namespace;
	__u32 count = BPF_CORE_READ(namespace, uid_map.nr_extents);

	if (count > UID_GID_MAP_MAX_BASE_EXTENTS)
		return true; /* a long list, which is not looked through */
	for (__u32 i = 0; i < UID_GID_MAP_MAX_BASE_EXTENTS; i++) {
		struct uid_gid_extent extent = {};

		if (i >= count)
			break;
		bpf_core_read(&extent, sizeof(extent), &namespace->uid_map.extent[i]);
		if (uid - extent.lower_first < extent.count)
			return true;
	}
	return false;
}

/* The first user namespace lies within the second. */
__noinline int is_within(__u64 inner, __u64 outer)
{
	struct user_namespace *namespace = (void *)inner;

	for (int level = 0; level < USER_NAMESPACE_LEVELS && namespace; level++) {
		namespace = BPF_CORE_READ(namespace, parent);
		if ((__u64) namespace == outer)
			return true;
	}
	return false;
}

/* User ids of files are other ones through this mount. */
static __always_inline bool is_idmapped(struct vfsmount *mount)
{
	if (bpf_core_field_exists(mount->mnt_idmap)) {
		struct mnt_idmap *idmap = BPF_CORE_READ(mount, mnt_idmap);

		if (bpf_core_field_exists(idmap->uid_map))
			return BPF_CORE_READ(idmap, uid_map.nr_extents) != 0;
		return BPF_CORE_READ(idmap, owner, parent) != NULL;
	}
	if (bpf_core_field_exists(((struct vfsmount___user_ns *)0)->mnt_userns)) {
		struct vfsmount___user_ns *mapped = (void *)mount;

		return BPF_CORE_READ(mapped, mnt_userns, parent) != NULL;
	}
	return false;
}

/* What an executed file gives: nothing, its owner's user id, or one that is not known which. */
struct grant {
	bool is_set_uid;
	bool is_of_anybody;
	__u32 uid;
};

static __always_inline struct grant grant_of(struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);
	struct grant grant = {};

	if (!(BPF_CORE_READ(inode, i_mode) & S_ISUID))
		return grant;
	grant.is_set_uid = true;
	grant.is_of_anybody = is_idmapped(BPF_CORE_READ(file, f_path.mnt));
	grant.uid = BPF_CORE_READ(inode, i_uid.val);
	return grant;
}

static __always_inline bool may_be(const struct credentials *before, __u32 uid)
{
	return uid == before->uid || uid == before->effective_uid || uid == before->saved_uid;
}

static __always_inline bool is_granted(const struct grant *grant, __u32 uid)
{
	return grant->is_set_uid && (grant->is_of_anybody || uid == grant->uid);
}

/* No lawful way leads from these credentials to those; `executes` if an exec lies between, of this file. */
static __always_inline bool is_jump(const struct credentials *before, const struct credentials *now,
				    const struct grant *grant, bool executes)
{
	bool is_same = now->user_namespace == before->user_namespace, sets_uids;
	__u64 lawful = before->permitted;

	if (!is_same && !is_within(now->user_namespace, before->user_namespace))
		return true;
	if (is_same) {
		if (executes)
			lawful |= before->inheritable | before->bounding;
		if ((now->permitted & ~lawful) || (now->bounding & ~before->bounding) ||
		    (now->ambient & ~before->permitted))
			return true;
	}
	sets_uids = !is_same || (before->permitted & CAPABILITY(CAP_SETUID));
	if (!may_be(before, now->uid) && !(sets_uids && has_uid(now->user_namespace, now->uid)))
		return true;
	if (!may_be(before, now->effective_uid) && !is_granted(grant, now->effective_uid) &&
	    !(sets_uids && has_uid(now->user_namespace, now->effective_uid)))
		return true;
	return !may_be(before, now->saved_uid) && !is_granted(grant, now->saved_uid) &&
	       !(sets_uids && has_uid(now->user_namespace, now->saved_uid));
}

/* Judges the credentials that an exec left a process with, and remembers them. Returns flags of the record. */
static __always_inline __u32 note_exec(struct exec_record *record, struct task_struct *task,
				       struct linux_binprm *bprm)
{
	struct process_key key = key_of(task);
	struct credentials now = {}, *before;
	struct grant grant;
	__u32 flags = 0;

	read_credentials(&now, task);
	before = bpf_map_lookup_elem(&remembered_credentials, &key);
	if (!before) {
		bpf_map_update_elem(&remembered_credentials, &key, &now, BPF_ANY);
		return 0;
	}
	grant = grant_of(BPF_CORE_READ_BITFIELD_PROBED(bprm, execfd_creds)
				 ? BPF_CORE_READ(bprm, executable)
				 : BPF_CORE_READ(task, mm, exe_file));
	flags = EXEC_CREDENTIALS_KNOWN;
	if (before->has_jumped || is_jump(before, &now, &grant, true))
		flags |= EXEC_CREDENTIAL_JUMP;
	record->before_permitted = before->permitted;
	record->before_uid = before->uid;
	record->before_effective_uid = before->effective_uid;
	record->before_saved_uid = before->saved_uid;
	record->before_user_namespace = before->user_namespace_inode;
	*before = now;
	return flags;
}

/*
 * A child begins with what its parent has. If that is more than it can have, the child's next exec shall say
 * so, and the parent's.
 */
static __always_inline void note_fork(struct task_struct *parent, struct task_struct *child)
{
	struct process_key parent_key = key_of(parent), child_key = key_of(child);
	struct credentials now = {}, *before;
	struct grant nothing = {};

	read_credentials(&now, child);
	before = bpf_map_lookup_elem(&remembered_credentials, &parent_key);
	if (before && (before->has_jumped || is_jump(before, &now, &nothing, false))) {
		before->has_jumped = true;
		now = *before;
	}
	bpf_map_update_elem(&remembered_credentials, &child_key, &now, BPF_ANY);
}

static __always_inline void note_exit(struct task_struct *task)
{
	struct process_key key = key_of(task);

	bpf_map_delete_elem(&remembered_credentials, &key);
}

/*
 * A process that has less than is remembered of it, and can have come to that, is remembered with what it has:
 * the worker that its server forked as root and that became another user. Not one of several threads, of which
 * another may have kept more.
 *
 * An exec meanwhile has its say behind this, or is seen by the second look: then nothing is known of the process. It
 * reads what was remembered before or what is now, never a mixture: hence an update, and not a store.
 */
static __always_inline void note_given_up(struct task_struct *task)
{
	struct process_key key = key_of(task);
	struct credentials now = {}, *before;
	struct grant nothing = {};
	const struct cred *cred;

	if (BPF_CORE_READ(task, signal, nr_threads) != 1)
		return;
	before = bpf_map_lookup_elem(&remembered_credentials, &key);
	if (!before || before->has_jumped)
		return;
	/* Credentials are replaced, never changed (Documentation/security/credentials.rst). */
	cred = BPF_CORE_READ(task, real_cred);
	read_credentials(&now, task);
	if (now.user_namespace != before->user_namespace || is_jump(before, &now, &nothing, false))
		return;
	bpf_map_update_elem(&remembered_credentials, &key, &now, BPF_EXIST);
	if (BPF_CORE_READ(task, real_cred) != cred)
		bpf_map_delete_elem(&remembered_credentials, &key);
}

/* Those that already run have what they have, as far as can be known. */
static __always_inline void note_running(struct task_struct *task)
{
	struct process_key key = key_of(task);
	struct credentials now = {};

	read_credentials(&now, task);
	bpf_map_update_elem(&remembered_credentials, &key, &now, BPF_NOEXIST);
}

#endif
