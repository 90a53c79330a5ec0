/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unwind tables as BPF reads them: the same numbers as crates/unwind/src/{format,row}.rs, where they are
 * explained; a test there compiles this header and compares.
 *
 * One executable is one array of cells of 8 bytes (the value of a mmapable BPF array):
 *
 *     header: 2 cells | pages: a cell each | rules: a cell each | rows: two in a cell
 *
 * A place is an offset into the file: of a mapping, pc - start + (pgoff << PAGE_SHIFT). No load bias and no
 * ELF header is needed to find it.
 *
 * To find the rule of a place: pages[(place >> 16) - first_page] says which rows belong to its 64 KiB;
 * the last row of them whose low 16 bits are not above the place's decides; where there is none, the row
 * before the page's first one does, and before row 0 nothing is known (UNWIND_GAP).
 *
 * A place is looked up as it is where the pc was interrupted (the innermost frame, and the one outside
 * of a signal frame), and one byte earlier where it is a return address.
 */
#ifndef CHANDRA_UNWIND_TABLE_H
#define CHANDRA_UNWIND_TABLE_H

#define UNWIND_PAGE_BITS     16
#define UNWIND_HEADER_CELLS  2
#define UNWIND_MAX_PAGES     65536 /* 4 GiB of text */
#define UNWIND_MAX_RULES     65535
#define UNWIND_MAX_ROWS      16777216 /* 64 MiB */
#define UNWIND_MAX_PAGE_ROWS 65535
#define UNWIND_SEARCH_STEPS  16 /* halvings that find one of UNWIND_MAX_PAGE_ROWS, or none */

/* The first two cells of a table: all that is needed to find the rest. Worth a copy beside its owner. */
struct unwind_table {
	__u32 first_page; /* place >> UNWIND_PAGE_BITS of pages[0] */
	__u32 page_count;
	__u32 rule_count;
	__u32 row_count;
};

/* Where the parts begin, in cells. */
static __always_inline __u32 unwind_page_cell(__u32 page)
{
	return UNWIND_HEADER_CELLS + page;
}

static __always_inline __u32 unwind_rule_cell(const struct unwind_table *table, __u32 rule)
{
	return UNWIND_HEADER_CELLS + table->page_count + rule;
}

static __always_inline __u32 unwind_row_cell(const struct unwind_table *table, __u32 row)
{
	return UNWIND_HEADER_CELLS + table->page_count + table->rule_count + row / 2;
}

/* A page: its first row in the low half of its cell, the number of its rows in the high half. */
static __always_inline __u32 unwind_page_first_row(__u64 page)
{
	return (__u32)page;
}

static __always_inline __u32 unwind_page_row_count(__u64 page)
{
	return page >> 32;
}

/* The row, of the two in its cell: even ones in the low half. */
static __always_inline __u32 unwind_row(__u64 cell, __u32 row)
{
	return row & 1 ? cell >> 32 : (__u32)cell;
}

static __always_inline __u16 unwind_row_low(__u32 row)
{
	return row;
}

static __always_inline __u16 unwind_row_rule(__u32 row)
{
	return row >> 16;
}

/* A rule, from bit 0: kind 4 bits, base 4, cfa 24, fp 16, ra 16; the last three signed, in words of 8 bytes. */
enum unwind_kind {
	/* Nothing is known: the step of frame pointers. Rule 0 of every table is this one. */
	UNWIND_GAP = 0,
	/* CFA = base + cfa. FP is at CFA + fp, unchanged where fp is 0; RA at CFA + ra, in LR where ra is 0. */
	UNWIND_OFFSET = 1,
	/* CFA = *(base + cfa) + ra. FP is at CFA + fp, unchanged where fp is 0; RA at CFA - 8. x86-64. */
	UNWIND_DEREFERENCE = 2,
	/* CFA = *(FP + cfa). FP is at FP + fp (the old one's), 0 included; RA at CFA - 8. x86-64. */
	UNWIND_REALIGNED = 3,
	/* CFA = SP + cfa, and 8 more where (place & 15) >= fp. FP unchanged; RA at CFA - 8. x86-64. */
	UNWIND_PLT = 4,
	/* The frame of a signal: SP + cfa is where the kernel saved the registers (struct sigcontext). */
	UNWIND_SIGNAL = 5,
	/* The outermost frame: nobody called it. */
	UNWIND_STOP = 6,
	/* It is described, but by what a rule cannot hold. */
	UNWIND_UNSUPPORTED = 7,
	/* The step of frame pointers, but the CFA may be anywhere: the caller has another stack (Go). */
	UNWIND_STACK_SWITCH = 8,
};

static __always_inline __u32 unwind_rule_kind(__u64 rule)
{
	return rule & 15;
}

static __always_inline __u32 unwind_rule_base(__u64 rule)
{
	return (rule >> 4) & 15;
}

/* The next three in bytes. */
static __always_inline __s64 unwind_rule_cfa(__u64 rule)
{
	return (__s64)((__s32)(__u32)rule >> 8) * 8;
}

static __always_inline __s64 unwind_rule_fp(__u64 rule)
{
	return (__s64)(__s16)(rule >> 32) * 8;
}

static __always_inline __s64 unwind_rule_ra(__u64 rule)
{
	return (__s64)(__s16)(rule >> 48) * 8;
}

/* UNWIND_PLT alone: from which place within 16 bytes the entry has pushed its number. */
static __always_inline __u32 unwind_rule_plt_threshold(__u64 rule)
{
	return (rule >> 32) & 15;
}

/*
 * Registers that a CFA is counted from. Those after FP are known only where the registers are those of an
 * interruption (innermost, or outside of a signal frame); elsewhere they end the walk.
 */
enum unwind_base {
	UNWIND_SP = 0,
	UNWIND_FP = 1, /* rbp, x29 */
	UNWIND_RAX = 2,
	UNWIND_RDX = 3,
	UNWIND_RCX = 4,
	UNWIND_RBX = 5,
	UNWIND_RSI = 6,
	UNWIND_RDI = 7,
	UNWIND_R8 = 8,
	UNWIND_R9 = 9,
	UNWIND_R10 = 10,
	UNWIND_R11 = 11,
	UNWIND_R12 = 12,
	UNWIND_R13 = 13,
	UNWIND_R14 = 14,
	UNWIND_R15 = 15,
};

/*
 * Where struct sigcontext has registers, in bytes. x86-64: arch/x86/include/uapi/asm/sigcontext.h; the
 * order is r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip. aarch64: fault_address, x0 to x30, sp, pc.
 */
#define UNWIND_X86_64_SIGNAL_FP  80
#define UNWIND_X86_64_SIGNAL_SP  120
#define UNWIND_X86_64_SIGNAL_PC  128
#define UNWIND_AARCH64_SIGNAL_FP 240
#define UNWIND_AARCH64_SIGNAL_LR 248
#define UNWIND_AARCH64_SIGNAL_SP 256
#define UNWIND_AARCH64_SIGNAL_PC 264

/* A frame whose frame pointer is further than this from SP is not believed. */
#define UNWIND_MAX_FRAME_BYTES (1 << 20)

/* Why a walk ended; src/walk.rs says when. The first two are whole stacks. */
enum unwind_end {
	UNWIND_END_OUTERMOST = 0,         /* a rule says that nobody called this frame */
	UNWIND_END_OF_CHAIN = 1,          /* a frame pointer, or a return address, of 0 */
	UNWIND_END_DEPTH = 2,             /* as many frames as asked for */
	UNWIND_END_NO_MAPPING = 3,        /* an interrupted pc is in no executable mapping */
	UNWIND_END_RETURN_NOT_CODE = 4,   /* a return address is in no executable mapping */
	UNWIND_END_UNREADABLE = 5,        /* the stack could not be read there */
	UNWIND_END_BAD_FRAME_POINTER = 6, /* below SP, too far above it, or not aligned */
	UNWIND_END_UNSUPPORTED = 7,       /* UNWIND_UNSUPPORTED */
	UNWIND_END_UNKNOWN_REGISTER =
		8,                    /* the rule counts from a register that is not known here */
	UNWIND_END_NOT_RISING = 9,    /* the CFA is not above SP */
	UNWIND_END_BROKEN_TABLE = 10, /* a table refers to what it does not have */
};

#endif
