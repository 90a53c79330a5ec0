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
 * Open files of a process that are looked at, the lowest numbers, which servers have their sockets under. Of one with
 * more it is not known if it listens. Four times as many take the verifier a third of a second.
 */
#define DESCRIPTORS_LOOKED_AT 256

/* Of all protocols over IP that have such a state, the number is that of TCP (include/net/tcp_states.h). */
#define STATE_LISTEN 10

static __always_inline bool is_listening_socket(struct file *file)
{
	const struct sock *sk;
	struct socket *socket;
	__u16 family;

	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return false;
	socket = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(socket, sk);
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	return (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ(sk, __sk_common.skc_state) == STATE_LISTEN;
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

/* Whether a task listens (enum listening). By itself for the verifier, which so goes through it once. */
__noinline int listens_by_files(__u64 task_address)
{
	struct task_struct *task = (void *)task_address;
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	unsigned long *open_files = BPF_CORE_READ(table, open_fds);
	struct file **files = BPF_CORE_READ(table, fd);
	__u32 count = BPF_CORE_READ(table, max_fds);

	/* It has ended, or is a thread of the kernel. */
	if (!table)
		return LISTENING_NO;
	for (__u32 first = 0; first < DESCRIPTORS_LOOKED_AT; first += 64) {
		__u64 word = 0;

		if (first >= count)
			return LISTENING_NO;
		bpf_probe_read_kernel(&word, sizeof(word), open_files + first / 64);
		for (int looked = 0; looked < 64 && word; looked++) {
			__u8 bit = bit_of_number[(word & -word) * BIT_NUMBERS >> 58];
			struct file *file = NULL;

			word &= word - 1;
			bpf_probe_read_kernel(&file, sizeof(file), files + first + bit);
			if (file && is_listening_socket(file))
				return LISTENING_YES;
		}
	}
	return count > DESCRIPTORS_LOOKED_AT ? LISTENING_NOT_KNOWN : LISTENING_NO;
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
