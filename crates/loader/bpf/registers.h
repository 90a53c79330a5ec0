/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The registers of user space at a tick: those of the interruption, or where the kernel ran, those that the
 * thread came into the kernel with.
 *
 * Both are read as the words of the structure that ptrace(2) and signal handlers know, whose order is the
 * kernel's ABI (arch/{x86,arm64}/include/uapi/asm/ptrace.h).
 */
#ifndef CHANDRA_REGISTERS_H
#define CHANDRA_REGISTERS_H

#if defined(__TARGET_ARCH_x86)

enum { WORD_FP = 4, WORD_PC = 16, WORD_CS = 17, WORD_SP = 19, REGISTER_WORDS = 21 };
/* include/asm/segment.h: __USER_CS, the segment of programs of 64 bits. */
#define USER_CS 0x33

#elif defined(__TARGET_ARCH_arm64)

enum {
	WORD_FP = 29,
	WORD_LR = 30,
	WORD_SP = 31,
	WORD_PC = 32,
	WORD_PSTATE = 33,
	REGISTER_WORDS = 34
};

#endif

#define KERNEL_STACK_BYTES 16384

/* What a program that a clock runs is given: struct bpf_perf_event_data. It is read word by word. */
struct tick_context {
	__u64 registers[REGISTER_WORDS];
	__u64 sample_period;
	__u64 address;
};

static __always_inline bool is_user_mode(const struct tick_context *ctx)
{
#if defined(__TARGET_ARCH_x86)
	return (ctx->registers[WORD_CS] & 3) == 3;
#else
	return (ctx->registers[WORD_PSTATE] & 15) == 0;
#endif
}

/* Of registers of user space: of a program of 32 bits, which has another ABI. */
static __always_inline bool is_foreign(const __u64 *registers)
{
#if defined(__TARGET_ARCH_x86)
	return (registers[WORD_CS] & 0xffff) != USER_CS;
#else
	return registers[WORD_PSTATE] & 16;
#endif
}

/* Where the thread that runs keeps the registers that it came into the kernel with. */
static __always_inline const void *saved_registers(struct task_struct *task)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		return (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	/* Before 5.15: at the very end of its kernel stack. (On arm64 that is larger where pages are of 64 KiB.) */
	return BPF_CORE_READ(task, stack) + KERNEL_STACK_BYTES - bpf_core_type_size(struct pt_regs);
}

#endif
