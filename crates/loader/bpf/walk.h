/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From frame to frame of a user's stack, by tables of rules, and by frame pointers where they say nothing.
 *
 * It is step by step what crates/unwind/src/walk.rs does; what differs is a defect of one of the two. A walk
 * never guesses: where it cannot go on, it says why.
 *
 * The mappings of a process lie sorted in one array, found by one look-up for all frames of a sample. (A trie
 * of prefixes would cost a chase of pointers for each frame, and a dozen entries for each mapping.)
 *
 * What a frame costs is searches, calls, and memory that nobody has looked at for a while. So a frame is first
 * looked for in the mapping of the one before it, its rule among those that were found before (remembered_rules),
 * and its words in a piece of the stack that was copied at once (struct stack_window).
 */
#ifndef CHANDRA_WALK_H
#define CHANDRA_WALK_H

#include "python_types.h"
#include "registers.h"
#include "sample_types.h"
#include "unwind_table.h"

#define MAX_PROCESSES    8192
#define MAX_MAPPINGS     65536
#define MAX_EXECUTABLES  4096
#define MAPPING_STEPS    16
#define PLACE_BITS       48
#define TABLE_PLACE_BITS 32   /* of a place that a table says something of */
#define MAX_FRAMES       1280 /* of the kernel, of Python and of the user together */
#define WORD_MASK        2047 /* that many and more `words` are there */
#define STACK_BYTES      16384
#define STACK_PART_BYTES 1024
#define GOES_ON          255
#define REMEMBERED_BITS  10
#define WINDOW_WORDS     64
#define BELOW_CFA_BYTES  64 /* where functions save registers, the frame pointer among them */
#define SMALL_PAGE_BYTES 4096

/* By pid. Bytes: about 80 x max_entries, in advance. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PROCESSES);
	__type(key, __u32);
	__type(value, struct profiled_process);
} processes SEC(".maps");

/* Written by user space, which lets a place rest before it is used again. Bytes: 32 x max_entries. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_MAPPINGS);
	__type(key, __u32);
	__type(value, struct profile_mapping);
} mappings SEC(".maps");

/* By the number of the executable, each table of its own size. Bytes: 8 x max_entries, and the tables. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_EXECUTABLES);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
			__uint(max_entries, 1);
			__type(key, __u32);
			__type(value, __u64);
		});
} tables SEC(".maps");

/*
 * Rules of places, as they were found last: stacks of a program are mostly the same places, and a search goes over
 * much more memory than this. Where a place belongs here there is one; the latest stays. It is true as long as this
 * is loaded: a number is of one file, whose tables are counted.
 */
struct remembered_rule {
	__u64 key; /* executable, table and place; 0: none */
	__u64 rule;
};

struct remembered_rules {
	struct remembered_rule rules[1 << REMEMBERED_BITS];
};

/* Bytes: 16,384 x CPUs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct remembered_rules);
} remembered_rules SEC(".maps");

/* Where a walk is. */
struct walk {
	__u64 pc;
	__u64 sp;
	__u64 fp;
	__u64 lr;           /* aarch64: known where `is_interrupted` */
	__u64 address_bits; /* aarch64: a return address may have its signature in the others */
	__u64 context; /* where the kernel saved the registers of this frame (struct sigcontext); 0: nowhere */
	__u32 first_mapping;
	__u32 mapping_count;
	__u32 mapping;        /* of the frame before, or the first one */
	__u32 is_interrupted; /* 1 or 0: pc is where a thread was interrupted, not a return address */
	__u32 frames;         /* so far */
};

/*
 * A search among what is sorted. It lies in memory so that the verifier, which knows nothing of what is there,
 * finds one step like the other, and looks at it once.
 */
struct search {
	__u32 after; /* what is before is not above what is searched for */
	__u32 count; /* of those from there on so many may be */
};

/* A piece of the user's stack, within one page: what is beside what was read is there, too. */
struct stack_window {
	__u64 start;
	__u64 bytes; /* 0: nothing is in it */
	__u64 words[WINDOW_WORDS];
};

/*
 * What a sample is made in, of one CPU: one that takes samples does not interrupt itself. The record is the
 * signal's own (SAMPLE_RECORD names it): in it are `process`, `exec_id`, the counts of what is behind it,
 * `user_end` and `flags`.
 */
struct scratch {
	struct walk walk;
	volatile struct search search;
	volatile __u32 end; /* why the walk ended: in memory for the verifier's sake, too */
	__u32 is_pending;   /* a record that waits for its user stack */
	__u64 registers[REGISTER_WORDS];
	struct stack_window window;
	struct python_walk python;
	struct SAMPLE_RECORD record;
	/* What goes behind the record: frames, registers, a copy of the stack. */
	__u64 words[MAX_FRAMES + REGISTER_WORDS + STACK_BYTES / 8];
};

static __always_inline struct profile_mapping *mapping_at(__u32 index)
{
	return bpf_map_lookup_elem(&mappings, &index);
}

/* Takes the half of what is left that was not above, or not. */
static __always_inline void narrow(volatile struct search *search, bool is_above)
{
	__u32 half = search->count / 2;

	if (is_above) {
		search->count = half;
	} else {
		search->after += half + 1;
		search->count -= half + 1;
	}
}

/* The mapping that an address is in; NULL for none that is known. */
static __always_inline struct profile_mapping *find_mapping(struct scratch *scratch, __u64 address)
{
	volatile struct search *search = &scratch->search;
	struct profile_mapping *mapping = mapping_at(scratch->walk.mapping);

	if (mapping && address >= mapping->start && address < mapping->end)
		return mapping;
	search->after = scratch->walk.first_mapping;
	search->count = scratch->walk.mapping_count;
	for (int i = 0; i < MAPPING_STEPS && search->count; i++) {
		mapping = mapping_at(search->after + search->count / 2);
		if (!mapping)
			return NULL;
		narrow(search, mapping->start > address);
	}
	if (search->after == scratch->walk.first_mapping)
		return NULL;
	scratch->walk.mapping = search->after - 1;
	mapping = mapping_at(scratch->walk.mapping);
	return mapping && address < mapping->end ? mapping : NULL;
}

static __always_inline bool read_cell(void *table, __u32 index, __u64 *cell)
{
	__u64 *value = bpf_map_lookup_elem(table, &index);

	if (!value)
		return false;
	*cell = *value;
	return true;
}

/* The rule of a place, by its table. False where that refers to what it does not have. */
static __always_inline bool find_rule(struct scratch *scratch, void *table, __u64 place,
				      __u64 *rule)
{
	volatile struct search *search = &scratch->search;
	struct unwind_table header;
	__u64 cell, page = place >> UNWIND_PAGE_BITS;
	__u16 low = place;
	__u32 last;

	*rule = UNWIND_GAP;
	if (!read_cell(table, 0, &cell))
		return false;
	header.first_page = cell;
	header.page_count = cell >> 32;
	if (!read_cell(table, 1, &cell))
		return false;
	header.rule_count = cell;
	if (page < header.first_page || page - header.first_page >= header.page_count)
		return true;
	if (!read_cell(table, unwind_page_cell(page - header.first_page), &cell))
		return false;
	search->after = unwind_page_first_row(cell);
	search->count = unwind_page_row_count(cell);
	for (int i = 0; i < UNWIND_SEARCH_STEPS && search->count; i++) {
		__u32 middle = search->after + search->count / 2;

		if (!read_cell(table, unwind_row_cell(&header, middle), &cell))
			return false;
		narrow(search, unwind_row_low(unwind_row(cell, middle)) > low);
	}
	/* On a page without a row below the place, it is the one before the page's first. */
	if (!search->after)
		return true;
	last = search->after - 1;
	if (!read_cell(table, unwind_row_cell(&header, last), &cell))
		return false;
	return read_cell(table, unwind_rule_cell(&header, unwind_row_rule(unwind_row(cell, last))),
			 rule);
}

/* The rule of a place. False where the table refers to what it does not have. */
static __always_inline bool rule_of(struct scratch *scratch, struct remembered_rules *remembered,
				    __u32 executable, __u32 table_version, __u64 place, __u64 *rule)
{
	__u64 key = (__u64)executable << PLACE_BITS |
		    (__u64)(__u16)table_version << TABLE_PLACE_BITS | place;
	struct remembered_rule *known;
	void *table;

	/* No table is of a file that is so large. */
	if (place >> TABLE_PLACE_BITS)
		return true;
	/* The golden ratio spreads keys that differ in few bits (Knuth, vol. 3, 6.4). */
	known = &remembered->rules[(key * 0x9e3779b97f4a7c15ull) >> (64 - REMEMBERED_BITS)];
	if (known->key == key) {
		*rule = known->rule;
		return true;
	}
	table = bpf_map_lookup_elem(&tables, &executable);
	/* One that was taken away a moment ago is as none. */
	if (!table)
		return true;
	if (!find_rule(scratch, table, place, rule))
		return false;
	known->key = key;
	known->rule = *rule;
	return true;
}

#if defined(__TARGET_ARCH_x86)
/* By enum unwind_base: its word in the registers, and its byte in struct sigcontext. */
const __u8 word_of_base[16] = { 19, 4, 10, 12, 11, 5, 13, 14, 9, 8, 7, 6, 3, 2, 1, 0 };
const __u8 byte_of_base[16] = { 120, 80, 104, 96, 112, 88, 72, 64, 0, 8, 16, 24, 32, 40, 48, 56 };
#endif

/* The register that a rule counts from; false where that is not known. */
static __always_inline bool read_base(struct scratch *scratch, __u32 base, __u64 *value)
{
	struct walk *walk = &scratch->walk;

	if (base == UNWIND_SP) {
		*value = walk->sp;
		return true;
	}
	if (base == UNWIND_FP) {
		*value = walk->fp;
		return true;
	}
#if defined(__TARGET_ARCH_x86)
	if (walk->is_interrupted) {
		__u32 word = word_of_base[base & 15];

		if (walk->context)
			return !bpf_probe_read_user(
				value, sizeof(*value),
				(void *)(walk->context + byte_of_base[base & 15]));
		if (word >= REGISTER_WORDS)
			return false;
		*value = scratch->registers[word];
		return true;
	}
#endif
	return false;
}

static __always_inline bool read_word(__u64 address, __u64 *value)
{
	return !bpf_probe_read_user(value, sizeof(*value), (void *)address);
}

/*
 * Has what lies below a CFA in the window, and what lies above it as far as that goes: there the next frames are. Of one
 * page only, because that is there if anything of it is.
 */
static __always_inline void move_window(struct scratch *scratch, __u64 cfa)
{
	struct stack_window *window = &scratch->window;
	__u64 from = cfa - BELOW_CFA_BYTES, bytes;

	if (cfa - window->start <= window->bytes)
		return;
	if (from < scratch->walk.sp)
		from = scratch->walk.sp;
	bytes = SMALL_PAGE_BYTES - (from & (SMALL_PAGE_BYTES - 1));
	if (bytes > sizeof(window->words))
		bytes = sizeof(window->words);
	window->start = from;
	window->bytes = bytes;
	if (bpf_probe_read_user(window->words, bytes, (void *)from))
		window->bytes = 0;
}

/* A word of the user's stack. */
static __always_inline bool read_stack(struct scratch *scratch, __u64 address, __u64 *value)
{
	struct stack_window *window = &scratch->window;
	__u64 offset = address - window->start;

	if (offset & 7 || offset >= sizeof(window->words) ||
	    offset + sizeof(*value) > window->bytes)
		return read_word(address, value);
	/* A kernel (6.12) forgets the bound of what it compared with something else by a sum. */
	barrier_on(offset);
	*value = window->words[(offset / sizeof(*value)) & (WINDOW_WORDS - 1)];
	return true;
}

/* Out of a frame that the kernel made to deliver a signal. */
static __always_inline int step_out_of_signal(struct walk *walk, __u64 context)
{
#if defined(__TARGET_ARCH_x86)
	if (!read_word(context + UNWIND_X86_64_SIGNAL_PC, &walk->pc) ||
	    !read_word(context + UNWIND_X86_64_SIGNAL_FP, &walk->fp) ||
	    !read_word(context + UNWIND_X86_64_SIGNAL_SP, &walk->sp))
		return UNWIND_END_UNREADABLE;
#else
	if (!read_word(context + UNWIND_AARCH64_SIGNAL_PC, &walk->pc) ||
	    !read_word(context + UNWIND_AARCH64_SIGNAL_FP, &walk->fp) ||
	    !read_word(context + UNWIND_AARCH64_SIGNAL_LR, &walk->lr) ||
	    !read_word(context + UNWIND_AARCH64_SIGNAL_SP, &walk->sp))
		return UNWIND_END_UNREADABLE;
#endif
	walk->context = context;
	walk->is_interrupted = true;
	return GOES_ON;
}

static __always_inline int called_from(struct walk *walk, __u64 pc, __u64 sp, __u64 fp)
{
#if defined(__TARGET_ARCH_arm64)
	pc &= walk->address_bits;
#endif
	walk->pc = pc;
	walk->sp = sp;
	walk->fp = fp;
	walk->is_interrupted = false;
	return GOES_ON;
}

/* The caller of a frame whose return address is the word below its CFA. */
static __always_inline int return_to(struct walk *walk, __u64 cfa, __u64 fp)
{
	__u64 pc;

	if (cfa <= walk->sp)
		return UNWIND_END_NOT_RISING;
	if (!read_word(cfa - 8, &pc))
		return UNWIND_END_UNREADABLE;
	return called_from(walk, pc, cfa, fp);
}

static __always_inline int step_by_frame_pointer(struct walk *walk, bool switches_stack)
{
	__u64 fp = walk->fp, pair[2];

	if (!fp)
		return UNWIND_END_OF_CHAIN;
	if (fp & 7)
		return UNWIND_END_BAD_FRAME_POINTER;
	if (!switches_stack && (fp < walk->sp || fp - walk->sp >= UNWIND_MAX_FRAME_BYTES))
		return UNWIND_END_BAD_FRAME_POINTER;
	if (bpf_probe_read_user(pair, sizeof(pair), (void *)fp))
		return UNWIND_END_UNREADABLE;
	return called_from(walk, pair[1], fp + 16, pair[0]);
}

static __always_inline int step_by_offset(struct scratch *scratch, __u64 rule)
{
	struct walk *walk = &scratch->walk;
	__s64 fp_offset = unwind_rule_fp(rule), ra_offset = unwind_rule_ra(rule);
	__u64 cfa, pc, fp = walk->fp;

	if (!read_base(scratch, unwind_rule_base(rule), &cfa))
		return UNWIND_END_UNKNOWN_REGISTER;
	cfa += unwind_rule_cfa(rule);
	if (!ra_offset) {
		if (!walk->is_interrupted)
			return UNWIND_END_UNKNOWN_REGISTER;
		if (cfa < walk->sp)
			return UNWIND_END_NOT_RISING;
		pc = walk->lr;
	} else {
		if (cfa <= walk->sp)
			return UNWIND_END_NOT_RISING;
		move_window(scratch, cfa);
		if (!read_stack(scratch, cfa + ra_offset, &pc))
			return UNWIND_END_UNREADABLE;
	}
	if (fp_offset && !read_stack(scratch, cfa + fp_offset, &fp))
		return UNWIND_END_UNREADABLE;
	return called_from(walk, pc, cfa, fp);
}

static __always_inline int step_by_rule(struct scratch *scratch, __u64 rule, __u64 place)
{
	struct walk *walk = &scratch->walk;
	__s64 fp_offset = unwind_rule_fp(rule);
	__u64 cfa, fp = walk->fp;

	switch (unwind_rule_kind(rule)) {
	case UNWIND_GAP:
		return step_by_frame_pointer(walk, false);
	case UNWIND_OFFSET:
		return step_by_offset(scratch, rule);
	case UNWIND_DEREFERENCE:
		if (!read_base(scratch, unwind_rule_base(rule), &cfa))
			return UNWIND_END_UNKNOWN_REGISTER;
		if (!read_word(cfa + unwind_rule_cfa(rule), &cfa))
			return UNWIND_END_UNREADABLE;
		cfa += unwind_rule_ra(rule);
		if (fp_offset && !read_word(cfa + fp_offset, &fp))
			return UNWIND_END_UNREADABLE;
		return return_to(walk, cfa, fp);
	case UNWIND_REALIGNED:
		if (!read_word(walk->fp + unwind_rule_cfa(rule), &cfa) ||
		    !read_word(walk->fp + fp_offset, &fp))
			return UNWIND_END_UNREADABLE;
		return return_to(walk, cfa, fp);
	case UNWIND_PLT:
		cfa = walk->sp + unwind_rule_cfa(rule);
		if ((place & 15) >= unwind_rule_plt_threshold(rule))
			cfa += 8;
		return return_to(walk, cfa, fp);
	case UNWIND_SIGNAL:
		return step_out_of_signal(walk, walk->sp + unwind_rule_cfa(rule));
	case UNWIND_STACK_SWITCH:
		return step_by_frame_pointer(walk, true);
	case UNWIND_STOP:
		return UNWIND_END_OUTERMOST;
	default:
		return UNWIND_END_UNSUPPORTED;
	}
}

static __always_inline void push_frame(struct scratch *scratch, __u64 frame)
{
	__u32 index = scratch->record.kernel_frames + scratch->record.python_frames +
		      scratch->walk.frames;

	scratch->words[index & WORD_MASK] = frame;
	scratch->walk.frames++;
}

/* Tells a frame and goes on to its caller's: why the walk ends, or GOES_ON. */
static __always_inline int step(struct scratch *scratch, struct remembered_rules *remembered)
{
	struct walk *walk = &scratch->walk;
	/*
	 * A call may be the last thing in its function: what is behind it may be another one. (Reckoned, not asked:
	 * the verifier would go through all that follows once for each answer.)
	 */
	__u64 address = walk->pc - (walk->is_interrupted ^ 1), place, rule = UNWIND_GAP;
	struct profile_mapping *mapping;
	__u32 executable, version;

	if (!(walk->pc | walk->is_interrupted))
		return UNWIND_END_OF_CHAIN;
	mapping = find_mapping(scratch, address);
	if (!mapping) {
		if (!walk->is_interrupted)
			return UNWIND_END_RETURN_NOT_CODE;
		push_frame(scratch, address & ((1ull << PLACE_BITS) - 1));
		return UNWIND_END_NO_MAPPING;
	}
	executable = mapping->executable;
	place = executable ? address - mapping->start + mapping->offset : address;
	place &= (1ull << PLACE_BITS) - 1;
	push_frame(scratch, (__u64)executable << PLACE_BITS | place);
	version = mapping->table_version;
	if (version && !rule_of(scratch, remembered, executable, version, place, &rule))
		return UNWIND_END_BROKEN_TABLE;
	return step_by_rule(scratch, rule, place);
}

#endif
