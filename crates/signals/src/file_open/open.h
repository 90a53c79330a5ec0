/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a caller asks for when it opens a file, however it asks. */
#ifndef CHANDRA_FILE_OPEN_OPEN_H
#define CHANDRA_FILE_OPEN_OPEN_H

#include "probe.h"

/* include/uapi/asm-generic/fcntl.h: those that all architectures here share. */
#define O_ACCMODE 00000003
#define O_RDONLY  00000000
#define O_WRONLY  00000001
#define O_CREAT   00000100
#define O_TRUNC   00001000
#define O_PATH    010000000
#define AT_FDCWD  (-100)
/* include/linux/fs.h */
#define OPEN_TO_EXECUTE 0x20 /* __FMODE_EXEC */
#define FMODE_CREATED   0x100000
#define MAX_ERRNO       4095

struct opening {
	const char *name;
	int directory; /* where a relative name begins: a descriptor, or AT_FDCWD */
	__u32 flags;
	__u32 mode;
	__u32 is_user_name; /* `name` is in user memory */
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct filename {
	const char *name;
};
/* fs/internal.h: flags as they were given, or as they are kept. */
struct open_flags {
	int open_flag;
	unsigned short mode;
};
#pragma clang attribute pop

static __always_inline long read_name(const struct opening *opening, void *into, __u32 limit)
{
	if (opening->is_user_name)
		return bpf_probe_read_user_str(into, limit, opening->name);
	return bpf_probe_read_kernel_str(into, limit, opening->name);
}

/* False for what is opened to be executed: that is an exec. */
static __always_inline bool read_opening(struct opening *opening, int directory,
					 struct filename *name, const struct open_flags *how)
{
	opening->directory = directory;
	opening->name = BPF_CORE_READ(name, name);
	opening->flags = BPF_CORE_READ(how, open_flag);
	opening->mode = BPF_CORE_READ(how, mode);
	opening->is_user_name = false;
	return !(opening->flags & OPEN_TO_EXECUTE);
}

/* include/uapi/linux/openat2.h, struct open_how */
static __always_inline void read_open_how(struct opening *opening, const void *how)
{
	__u64 words[2] = {};

	bpf_probe_read_user(words, sizeof(words), how);
	opening->flags = words[0];
	opening->mode = words[1];
}

#endif
