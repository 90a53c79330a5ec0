/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel types that Chandra's probes read, each with only the fields that are read.
 *
 * Every access is relocated at load against the running kernel's BTF (CO-RE), so neither order
 * nor size here matters; a field that some kernels lack is asked for with bpf_core_field_exists.
 * Where a field changed its type or name, a flavour `struct name___what` stands beside.
 */
#ifndef CHANDRA_KERNEL_H
#define CHANDRA_KERNEL_H

/* <bpf/bpf_tracing.h> then takes pt_regs from here. */
#define __VMLINUX_H__

typedef unsigned char __u8;
typedef signed char __s8;
typedef unsigned short __u16;
typedef short __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef __u16 __sum16;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __s32 s32;
typedef __u64 u64;
typedef __s64 s64;
typedef _Bool bool;
#define true 1
#define false 0
#ifndef NULL
#define NULL ((void *)0)
#endif

/* include/uapi/linux/bpf.h: the numbers that are the kernel's ABI. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4,
	BPF_MAP_TYPE_PERCPU_HASH = 5,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_LPM_TRIE = 11,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_ANY = 0, BPF_NOEXIST = 1, BPF_EXIST = 2 };
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1 << 10, BPF_F_INNER_MAP = 1 << 12 };
/* Asked for by bpf_core_enum_value_exists: whether the kernel has it. */
enum bpf_func_id {
	BPF_FUNC_task_pt_regs = 175,
};
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0, BPF_RB_RING_SIZE = 1 };
#define BPF_F_CURRENT_CPU 0xffffffffULL

/*
 * include/uapi/linux/bpf.h: the context of programs on packets, whose layout is the kernel's ABI; a
 * program reads it at fixed places.
 */
struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
	__u32 mark;
	__u32 priority;
	__u32 src_ip4; /* addresses and dst_port: network byte order */
	__u32 src_ip6[4];
	__u32 src_port;
	__u32 dst_port; /* read whole it is the port, whatever its declared size */
	__u32 dst_ip4;
	__u32 dst_ip6[4];
};
struct __sk_buff {
	__u32 len;
	__u32 before_ifindex[9];
	__u32 ifindex;
	__u32 before_data[8];
	__u32 data;
	__u32 data_end;
	__u32 before_gso[20];
	__u32 gso_segs;
	__u64 sk; /* struct bpf_sock * */
};
/* Of a call that names an address. */
struct bpf_sock_addr {
	__u32 user_family;
	__u32 user_ip4; /* addresses and port: network byte order */
	__u32 user_ip6[4];
	__u32 user_port;
	__u32 family;
	__u32 type;
	__u32 protocol;
};
/* A lock within a map's value. */
struct bpf_spin_lock {
	__u32 val;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

/* On the 64-bit kernels that there are probes for. */
typedef struct {
	__s64 counter;
} atomic_long_t;

typedef struct {
	unsigned int val;
} kuid_t;
typedef struct {
	unsigned int val;
} kgid_t;
/* Two 32-bit words up to 6.2, one 64-bit value since: the same eight bytes, read as such. */
typedef struct {
} kernel_cap_t;

struct ns_common {
	unsigned int inum;
};
struct uid_gid_extent {
	__u32 first;
	__u32 lower_first; /* in the initial namespace */
	__u32 count;
};
/* More extents than there are places for lie elsewhere, sorted. */
#define UID_GID_MAP_MAX_BASE_EXTENTS 5
struct uid_gid_map {
	__u32 nr_extents;
	struct uid_gid_extent extent[UID_GID_MAP_MAX_BASE_EXTENTS];
};
struct user_namespace {
	struct uid_gid_map uid_map;
	struct user_namespace *parent;
	struct ns_common ns;
};
struct pid_namespace {
	struct ns_common ns;
	struct task_struct *child_reaper;
};
struct mnt_namespace {
	struct ns_common ns;
};
struct cgroup_namespace {
	struct ns_common ns;
};
struct net {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};
struct pid {
	unsigned int level;
	struct upid numbers[1];
};
enum pid_type {
	PIDTYPE_PID,
	PIDTYPE_TGID,
	PIDTYPE_PGID,
	PIDTYPE_SID,
	PIDTYPE_MAX,
};

struct qstr {
	__u32 len;
	const unsigned char *name;
};
struct super_block {
	unsigned int s_dev;
	unsigned long s_flags;
	unsigned long s_magic;
};
struct timespec64 {
	__s64 tv_sec;
	long tv_nsec;
};
struct inode {
	unsigned short i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	unsigned int i_rdev;
	unsigned int i_nlink;
	unsigned long i_ino;
	__s64 i_mtime_sec; /* since 6.11 */
	__s64 i_ctime_sec;
	__u32 i_mtime_nsec;
	__u32 i_ctime_nsec;
	struct super_block *i_sb;
};
/* 6.7 to 6.10 */
struct inode___both {
	struct timespec64 __i_mtime;
	struct timespec64 __i_ctime;
};
/* 6.6 */
struct inode___ctime {
	struct timespec64 i_mtime;
	struct timespec64 __i_ctime;
};
/* Up to 6.5. */
struct inode___old {
	struct timespec64 i_mtime;
	struct timespec64 i_ctime;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};
/* At first it named a user namespace, later it has the map itself. */
struct mnt_idmap {
	struct user_namespace *owner;
	struct uid_gid_map uid_map;
};
struct vfsmount {
	struct dentry *mnt_root;
	int mnt_flags;
	struct mnt_idmap *mnt_idmap; /* since 6.2 */
};
/* 5.12 to 6.1 */
struct vfsmount___user_ns {
	struct user_namespace *mnt_userns;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	unsigned int f_mode;
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *open_fds;
};
struct files_struct {
	struct fdtable *fdt;
};
struct fs_struct {
	struct path root;
	struct path pwd;
};

/* On arm64; x86 has other flags there. */
typedef struct {
	unsigned long flags;
} mm_context_t;
struct mm_struct {
	mm_context_t context;
	unsigned long task_size; /* no address is as large; on arm64 a power of two */
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long env_start;
	unsigned long env_end;
	struct file *exe_file;
	unsigned long total_vm; /* pages */
	atomic_long_t pgtables_bytes;
};
/* Pages by what they are, counted apart on each CPU since 6.2: what is left there is not in `count`. */
enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, NR_MM_COUNTERS };
struct percpu_counter {
	__s64 count;
};
struct mm_struct___since_6_2 {
	struct percpu_counter rss_stat[NR_MM_COUNTERS];
};
struct mm_rss_stat {
	atomic_long_t count[NR_MM_COUNTERS];
};
struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
};
struct tty_struct {
	char name[64];
};
struct task_struct;
struct signal_struct {
	atomic_t live;
	int nr_threads;
	int group_exit_code;
	unsigned int flags;
	struct pid *pids[PIDTYPE_MAX];
	struct tty_struct *tty;
	short oom_score_adj;
};
struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t suid;
	kuid_t euid;
	kgid_t egid;
	kernel_cap_t cap_inheritable;
	kernel_cap_t cap_permitted;
	kernel_cap_t cap_effective;
	kernel_cap_t cap_bset;
	kernel_cap_t cap_ambient;
	struct user_namespace *user_ns;
};
struct nsproxy {
	struct mnt_namespace *mnt_ns;
	struct net *net_ns;
	struct cgroup_namespace *cgroup_ns;
};
struct kernfs_node {
	__u64 id;
};
struct cgroup;
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};
struct cgroup_root {
	int hierarchy_id;
};
struct cgroup {
	struct cgroup_subsys_state self;
	int level;
	struct kernfs_node *kn;
	struct cgroup_root *root;
};
/* Which controllers there are, and so their numbers, is the kernel's configuration. */
enum cgroup_subsys_id {
	memory_cgrp_id,
	pids_cgrp_id,
};
struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};
/* Of a cgroup's memory, in pages. */
struct page_counter {
	atomic_long_t usage;
	unsigned long max;
};
struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
};
/* On x86; elsewhere it has no `status`. */
struct thread_info {
	__u32 status;
};
struct thread_struct {
	unsigned long fsbase; /* x86 */
};

struct task_struct {
	struct thread_info thread_info;
	struct thread_struct thread;
	void *stack;
	unsigned int flags;
	int exit_code;
	unsigned int in_iowait : 1;
	__u64 self_exec_id;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	__u64 start_boottime;
	const struct cred *real_cred;
	const struct cred *cred;
	char comm[16];
	struct mm_struct *mm;
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	kuid_t loginuid;
	struct css_set *cgroups;
};
/* Its state, under its name of today and that of before 5.14. */
struct task_struct___state {
	unsigned int __state;
};
struct task_struct___state_before_5_14 {
	volatile long state;
};
struct irqaction {
	const char *name;
};
struct kernel_siginfo {
	int si_code;
};
struct gendisk {
	int major;
	int first_minor;
};
struct request_queue {
	struct gendisk *disk; /* since 5.14 */
};
struct request {
	struct request_queue *q;
	unsigned int cmd_flags;
	unsigned int __data_len;
};
/* Before 5.17. */
struct request___with_disk {
	struct gendisk *rq_disk;
};
struct linux_binprm {
	struct file *executable; /* of binfmt_misc, where `execfd_creds` it decides on rights */
	unsigned int execfd_creds : 1;
	const char *filename;
	const char *interp;
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	unsigned long skc_flags;
	struct {
		__s64 counter;
	} skc_cookie;
};
typedef struct {
	int owned;
} socket_lock_t;
struct sk_buff;
struct sk_buff_head {
	struct sk_buff *next;
};
struct sock;
struct socket {
	struct file *file;
	struct sock *sk;
};
struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	struct sk_buff_head sk_write_queue;
	socket_lock_t sk_lock;
	int sk_err;
	atomic_t sk_drops; /* of a listening socket: SYNs and connections that it had no room for */
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	__u16 sk_protocol;
	__u16 sk_type;
};
struct inet_sock {
	__be16 inet_sport;
};
struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};
struct unix_address {
	int len; /* of the whole name */
	struct sockaddr_un name[0];
};
struct unix_sock {
	struct unix_address *addr;
	struct path path; /* where it is bound in the file system */
	struct sock *peer;
};
enum sock_flags {
	SOCK_DEAD,
	SOCK_DONE,
};
struct minmax_sample {
	__u32 t;
	__u32 v;
};
struct minmax {
	struct minmax_sample s[3];
};
struct tcp_sock {
	__u64 bytes_received;
	__u64 bytes_acked;
	__u32 segs_in;
	__u32 segs_out;
	__u32 rcv_nxt;
	__u32 snd_nxt;
	__u32 copied_seq; /* up to where the application has read */
	__u32 snd_una;
	__u32 write_seq;
	__u32 srtt_us;
	__u32 total_retrans;
	struct minmax rtt_min;
	__u8 chrono_type : 2; /* what is being timed: one more than the place in chrono_stat */
	__u32 chrono_start;
	__u32 chrono_stat[3];
	__u8 syn_data_acked : 1;
	__u8 repair : 1;
	bool is_mptcp;
};
struct mptcp_sock {
	struct sock *first;
};
struct net_device {
	char name[16];
	int ifindex;
	possible_net_t nd_net;
};
struct dst_entry {
	struct net_device *dev;
};
struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned long _skb_refdst;
	unsigned int len;
	__be16 protocol;
	int skb_iif;
	__u16 transport_header;
	__u16 network_header;
	unsigned int tail;
	unsigned char *head;
};
struct rtable {
	struct dst_entry dst;
	unsigned int rt_flags;
};
struct flowi4 {
	__be32 saddr;
	__be32 daddr;
};
struct flowi6 {
	struct in6_addr daddr;
	struct in6_addr saddr;
};
/* Of IPv4 alone; gone in 5.18. */
struct netns_ipv4 {
	struct sock **icmp_sk;
};
struct icmphdr {
	__u8 type;
	__u8 code;
	__sum16 checksum;
	__u8 un[4];
};
/* A message that the kernel is about to send, and the packet that it is about. */
struct icmp_bxm {
	struct sk_buff *skb;
	int data_len;
	struct {
		struct icmphdr icmph;
	} data;
	int head_len;
};
enum sk_rst_reason {
	SK_RST_REASON_NOT_SPECIFIED,
};
/* Numbered anew by almost every kernel: read by bpf_core_enum_value only. */
enum skb_drop_reason {
	SKB_NOT_DROPPED_YET,
	SKB_CONSUMED,
	SKB_DROP_REASON_NOT_SPECIFIED,
	SKB_DROP_REASON_OTHERHOST,
	SKB_DROP_REASON_UNHANDLED_PROTO,
	SKB_DROP_REASON_IP_INNOROUTES,
	SKB_DROP_REASON_TCP_OLD_DATA,
	SKB_DROP_REASON_TCP_OFOMERGE,
	SKB_DROP_REASON_TCP_OLD_ACK,
	SKB_DROP_REASON_TCP_RESET,
	SKB_DROP_REASON_IPV6_NDISC_NS_OTHERHOST,
	SKB_DROP_REASON_QUEUE_PURGE,
	SKB_DROP_REASON_PACKET_SOCK_ERROR,
	SKB_DROP_REASON_MAC_IEEE_MAC_CONTROL,
};

struct trace_entry {
	int pid;
};
struct trace_event_raw_sys_enter {
	struct trace_entry ent;
	long id;
	unsigned long args[6];
};
struct trace_event_raw_sys_exit {
	struct trace_entry ent;
	long id;
	long ret;
};

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	void *key;
	void *value;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
	__u64 pstate;
};
struct pt_regs {
	struct user_pt_regs user_regs;
	__s32 syscallno;
};
#endif

#pragma clang attribute pop

#define AF_UNIX          1
#define AF_INET          2
#define AF_INET6         10
#define AF_PACKET        17
#define IPPROTO_HOPOPTS  0
#define IPPROTO_ICMP     1
#define IPPROTO_TCP      6
#define IPPROTO_UDP      17
#define IPPROTO_DCCP     33
#define IPPROTO_ROUTING  43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_AH       51
#define IPPROTO_ICMPV6   58
#define IPPROTO_DSTOPTS  60
#define IPPROTO_SCTP     132
#define IPPROTO_MH       135
#define IPPROTO_UDPLITE  136
#define IPPROTO_MPTCP    262
/* include/uapi/linux/if_ether.h */
#define ETH_P_IP          0x0800
#define ETH_P_8021Q       0x8100
#define ETH_P_IPV6        0x86dd
#define ETH_P_8021AD      0x88a8
#define S_IFMT            0170000
#define S_IFSOCK          0140000
#define S_ISUID           0004000
#define SB_RDONLY         1
#define MNT_READONLY      0x40
#define CAP_SETUID        7
#define SOCK_DGRAM        2
#define SIGNAL_GROUP_EXIT 0x00000004
#define PF_KTHREAD        0x00200000
#define EEXIST            17
/* include/uapi/linux/magic.h */
#define TMPFS_MAGIC           0x01021994
#define OVERLAYFS_SUPER_MAGIC 0x794c7630

#endif
