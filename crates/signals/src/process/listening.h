/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether a process is a server at this moment: whether it has a socket open that listens for connections. It is
 * asked of its table of open files when a program is executed, so nothing has to be remembered: what was
 * inherited at a fork is there, what was closed (by close-on-exec, too) is not, nor is what ended.
 *
 * Only sockets of IPv4 and IPv6 that listen(2) was called on count: those of TCP, MPTCP and SCTP. One of UDP is
 * the same for a server and for who asks one. One that only io_uring has (a direct descriptor) is not seen.
 */
#ifndef CHANDRA_LISTENING_H
#define CHANDRA_LISTENING_H

#include "event.h"

/*
 * Open files of a process that are looked at, those of the lowest numbers, which servers have their sockets under. Of
 * one with more it is not known if it listens. The verifier goes through an iterator's loop (6.4 and later) about
 * once, and through the others once for each descriptor.
 */
#define FILES_LOOKED_AT              1024
#define DESCRIPTORS_WITHOUT_ITERATOR 128

/* Where the kernel publishes no BTF, none of its functions can be called. */
#ifdef WITHOUT_KERNEL_BTF
#define HAS_ITERATOR false
#else
#define HAS_ITERATOR bpf_ksym_exists(bpf_iter_num_new)
#endif

struct bpf_iter_num {
	__u64 opaque[1];
};

/* Of all protocols over IP that have such a state, the number is that of TCP (include/net/tcp_states.h). */
#define STATE_LISTEN 10

/* 1 if they are equal, else 0, without a branch. */
static __always_inline __u64 equal(__u64 one, __u64 other)
{
	__u64 difference = one ^ other;

	barrier_on(difference); /* else the compiler makes the branch */
	return (difference - 1) >> 63;
}

/* Of a socket: whether it listens, 1 or 0. */
static __always_inline __u64 socket_listens(struct socket *socket)
{
	const struct sock *sk = BPF_CORE_READ(socket, sk);
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);
	__u8 state = BPF_CORE_READ(sk, __sk_common.skc_state);

	return (equal(family, AF_INET) | equal(family, AF_INET6)) & equal(state, STATE_LISTEN);
}

/*
 * Which bit of a word with one bit set it is: the multiple of a number in whose bits each six that follow one
 * another are different ones. Without a branch, so that the verifier does not follow each.
 */
#define BIT_NUMBERS 0x03f79d71b4cb0a89ULL

static const volatile __u8 bit_of_number[64] = {
	0,  1,  48, 2,  57, 49, 28, 3,  61, 58, 50, 42, 38, 29, 17, 4,  62, 55, 59, 36, 53, 51,
	43, 22, 45, 39, 33, 30, 24, 18, 12, 5,  63, 47, 56, 27, 60, 41, 37, 16, 54, 35, 52, 21,
	44, 32, 23, 11, 46, 26, 40, 15, 34, 20, 31, 10, 25, 14, 19, 9,  13, 8,  7,  6,
};

/*
 * Where in a table of open files one is. Every number was read or comes of one that was, so that to the verifier of
 * an iterator's loop one round is as the other.
 */
struct open_files {
	unsigned long *bits; /* of the next descriptors */
	struct file **files; /* of those that `open` is about, 64 */
	__u64 open;          /* one bit each, of those not looked at yet */
	__u64 left;          /* descriptors from `files` on, these included */
	__u64 found;
};

/* Goes on to the next 64 descriptors; false when there are none, or what was looked for is found. */
static __always_inline bool next_descriptors(struct open_files *at)
{
	/* No branch for what is found: to the verifier, rounds before and after would differ. */
	if ((at->left & (at->found - 1)) <= 64)
		return false;
	at->left -= 64;
	at->files += 64;
	bpf_probe_read_kernel(&at->open, sizeof(at->open), at->bits++);
	return true;
}

static __always_inline void look_at_next(struct open_files *at)
{
	__u8 bit = bit_of_number[(at->open & -at->open) * BIT_NUMBERS >> 58];
	struct file *file = NULL;

	at->open &= at->open - 1;
	bpf_probe_read_kernel(&file, sizeof(file), at->files + bit);
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK)
		at->found |= socket_listens(BPF_CORE_READ(file, private_data));
}

/* Whether a task listens (enum listening). By itself for the verifier, which so goes through it once. */
__noinline int listens_by_files(__u64 task_address)
{
	struct task_struct *task = (void *)task_address;
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct open_files at = {};
	int number;

	/* It has ended, or is a thread of the kernel. */
	if (!table)
		return LISTENING_NO;
	/* Before the first 64, to which one then comes as to all others. */
	at.bits = BPF_CORE_READ(table, open_fds);
	at.files = BPF_CORE_READ(table, fd) - 64;
	at.left = (__u64)BPF_CORE_READ(table, max_fds) + 64;
	if (HAS_ITERATOR) {
		bpf_for(number, 0, FILES_LOOKED_AT)
			if (at.open)
				look_at_next(&at);
			else if (!next_descriptors(&at))
				break;
	} else {
		/* Two loops, since before 6.3 none may be entered in its middle, as the compiler has one. */
		for (int first = 0; first < DESCRIPTORS_WITHOUT_ITERATOR; first += 64) {
			if (!next_descriptors(&at))
				break;
			for (number = 0; number < 64 && at.open; number++)
				look_at_next(&at);
		}
	}
	if (at.found)
		return LISTENING_YES;
	return at.open || at.left > 64 ? LISTENING_NOT_KNOWN : LISTENING_NO;
}

/* Of a process, its parent and its parent's parent, two bits each. */
static __always_inline __u16 read_listening(struct task_struct *task)
{
	__u16 listening = 0;

	/* Which is the task itself; what is read is a number to the verifier, as the function wants one. */
	task = BPF_CORE_READ(task, group_leader);
	for (int generation = 0; generation < LISTENING_GENERATIONS && task; generation++) {
		listening |= (listens_by_files((__u64)task) & 3) << 2 * generation;
		task = BPF_CORE_READ(task, group_leader, real_parent);
	}
	return listening;
}

#endif
