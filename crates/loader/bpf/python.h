/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The frames of the Python code that a thread runs, read from the interpreter's own structures.
 *
 * A frame is told as the address of its code object and where it is in it; names and lines are for user space.
 * Where the interpreter's loop was entered is marked, so that user space can put the frames where the loop's own
 * are in the native stack.
 *
 * The interpreter lists its threads with what pthread_self(3) is in each. Where a thread's state was found is
 * remembered and looked at before it is believed again: it has to be this thread's, and in the list. That there
 * was none is believed for a while.
 *
 * Invariants: what is read is anybody's and changes while it is read, so whatever is there, a walk is bounded,
 * ends with a reason, and takes nothing from the native stack.
 */
#ifndef CHANDRA_PYTHON_H
#define CHANDRA_PYTHON_H

#include "walk.h"

#define MAX_PYTHON_PROCESSES  4096
#define MAX_PYTHON_FRAMES     512
#define PYTHON_FRAMES_AT_ONCE 64
#define THREADS_AT_ONCE       256
#define BELIEVED_NS           100000000ull

/* By pid. Bytes: about 130 x max_entries, in advance. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PYTHON_PROCESSES);
	__type(key, __u32);
	__type(value, struct python_process);
} python_processes SEC(".maps");

/* By thread. Bytes: about 90 x max_entries, in advance. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct python_thread);
} python_threads SEC(".maps");

/* What the interpreter knows the thread that runs by; 0 where that is not known. */
static __always_inline __u64 own_thread_pointer(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return BPF_CORE_READ(task, thread.fsbase);
#else
	(void)task;
	return 0;
#endif
}

static __always_inline bool read_block(struct python_walk *walk, __u64 address, __u32 bytes)
{
	barrier_on(bytes);
	if (bytes > sizeof(walk->block))
		return false;
	return !bpf_probe_read_user(walk->block, bytes, (void *)address);
}

static __always_inline __u64 word_at(struct python_walk *walk, __u32 offset)
{
	return walk->block[(offset / 8) & (PYTHON_BLOCK_WORDS - 1)];
}

static __always_inline __u32 byte_at(struct python_walk *walk, __u32 offset)
{
	return word_at(walk, offset) >> (offset & 7) * 8 & 0xff;
}

/* Reads the state of a thread: false when it cannot be, or is another thread's. */
static __always_inline bool is_own_state(struct python_walk *walk,
					 const struct python_process *known, __u64 state)
{
	return read_block(walk, state, known->thread_bytes) &&
	       word_at(walk, known->thread_id) == walk->thread_pointer;
}

/* Of the state that was just read: the list leads to it, so it was not given back. */
static __always_inline bool is_listed(struct python_walk *walk, const struct python_process *known,
				      __u64 state)
{
	__u64 previous = word_at(walk, known->thread_previous), leads_to;
	__u64 from =
		previous ? previous + known->thread_next
			 : word_at(walk, known->thread_interpreter) + known->interpreter_threads;

	return read_word(from, &leads_to) && leads_to == state;
}

/* Searches all interpreters of the process for the state of this thread; GOES_ON, with the state in the block. */
static __always_inline int search_thread(struct python_walk *walk,
					 const struct python_process *known, __u64 *found)
{
	__u64 interpreter, state;

	if (!read_word(known->interpreters, &interpreter))
		return PYTHON_END_UNREADABLE;
	if (!interpreter)
		return PYTHON_END_NOT_STARTED;
	if (!read_word(interpreter + known->interpreter_threads, &state))
		return PYTHON_END_UNREADABLE;
	for (int i = 0; i < THREADS_AT_ONCE; i++) {
		if (!state) {
			if (!read_word(interpreter + known->interpreter_next, &interpreter))
				return PYTHON_END_UNREADABLE;
			if (!interpreter)
				return PYTHON_END_NO_THREAD;
			if (!read_word(interpreter + known->interpreter_threads, &state))
				return PYTHON_END_UNREADABLE;
			continue;
		}
		if (!read_block(walk, state, known->thread_bytes))
			return PYTHON_END_UNREADABLE;
		if (word_at(walk, known->thread_id) == walk->thread_pointer) {
			*found = state;
			return GOES_ON;
		}
		state = word_at(walk, known->thread_next);
	}
	return PYTHON_END_MANY_THREADS;
}

/* Reads the state of this thread into the block: GOES_ON, or why there is none. */
static __always_inline int find_thread(struct scratch *scratch, const struct python_process *known)
{
	struct python_walk *walk = &scratch->python;
	__u64 now = scratch->record.time_ns;
	__u32 thread = scratch->record.thread;
	struct python_thread *noted = bpf_map_lookup_elem(&python_threads, &thread);
	struct python_thread looked = { .looked_ns = now };
	int outcome;

	if (noted && noted->state && is_own_state(walk, known, noted->state) &&
	    is_listed(walk, known, noted->state))
		return GOES_ON;
	if (noted && !noted->state && now - noted->looked_ns < BELIEVED_NS)
		return PYTHON_END_NO_THREAD;
	outcome = search_thread(walk, known, &looked.state);
	if (outcome == GOES_ON || outcome == PYTHON_END_NO_THREAD)
		bpf_map_update_elem(&python_threads, &thread, &looked, BPF_ANY);
	return outcome;
}

/* Where in its code a frame is. To 3.10 its own count and one (it is -1 before the first), later counted here. */
static __always_inline __u64 instruction_of(struct python_walk *walk,
					    const struct python_process *known, __u64 code)
{
	__u64 word = word_at(walk, known->frame_instruction), place;

	if (known->frame_kind == PYTHON_FRAME_OBJECTS)
		place = (__u32)(word >> (known->frame_instruction & 7) * 8) + 1ull;
	else
		place = (word - code) / 2;
	return place < PYTHON_UNKNOWN_PLACE ? place : PYTHON_UNKNOWN_PLACE;
}

static __always_inline bool is_border(struct python_walk *walk, const struct python_process *known)
{
	return known->frame_kind == PYTHON_FRAME_BORDERS &&
	       byte_at(walk, known->frame_owner) >= known->border_owner;
}

static __always_inline bool is_entry(struct python_walk *walk, const struct python_process *known)
{
	if (known->frame_kind == PYTHON_FRAME_FLAGS)
		return byte_at(walk, known->frame_entry);
	return known->frame_kind == PYTHON_FRAME_OBJECTS;
}

/* Tells a frame and goes on to its caller's: why they end, or GOES_ON. */
static __always_inline int step_python(struct scratch *scratch, const struct python_process *known)
{
	struct python_walk *walk = &scratch->python;
	__u32 index = scratch->record.kernel_frames + scratch->record.python_frames;
	__u64 code, told = PYTHON_IS_ENTRY;

	if (!walk->frame)
		return PYTHON_END_OUTERMOST;
	if (scratch->record.python_frames >= MAX_PYTHON_FRAMES)
		return PYTHON_END_DEPTH;
	if (!read_block(walk, walk->frame, known->frame_bytes))
		return PYTHON_END_UNREADABLE;
	if (!is_border(walk, known)) {
		/* A reference may carry marks in its lowest bits. */
		code = word_at(walk, known->frame_code) & ~7ull;
		told = code >> PYTHON_CODE_SHIFT & ((1ull << PYTHON_CODE_BITS) - 1);
		told |= instruction_of(walk, known, code) << PYTHON_CODE_BITS;
		if (is_entry(walk, known))
			told |= PYTHON_IS_ENTRY;
	}
	scratch->words[index & WORD_MASK] = told;
	scratch->record.python_frames++;
	walk->frame = word_at(walk, known->frame_previous);
	return GOES_ON;
}

/* The innermost frame of the thread whose state is in the block. */
static __always_inline int begin_python(struct scratch *scratch, const struct python_process *known)
{
	struct python_walk *walk = &scratch->python;

	walk->frame = word_at(walk, known->thread_frame);
	walk->has_begun = true;
	if (walk->frame && known->thread_frame_is_indirect &&
	    !read_word(walk->frame + known->indirect_frame, &walk->frame))
		return PYTHON_END_UNREADABLE;
	return GOES_ON;
}

/* As much of it as one program does: why the frames end, or GOES_ON. */
static __always_inline int walk_python_frames(struct scratch *scratch)
{
	struct python_process *known =
		bpf_map_lookup_elem(&python_processes, &scratch->record.process.pid);
	int outcome = GOES_ON;

	if (!known)
		return PYTHON_END_NONE;
	if (!scratch->python.has_begun) {
		outcome = find_thread(scratch, known);
		if (outcome == GOES_ON)
			outcome = begin_python(scratch, known);
	}
	for (int i = 0; outcome == GOES_ON && i < PYTHON_FRAMES_AT_ONCE; i++)
		outcome = step_python(scratch, known);
	return outcome;
}

/* Makes ready for them; false where the process has none that is known. */
static __always_inline bool has_python(struct scratch *scratch, struct task_struct *task)
{
	struct python_walk *walk = &scratch->python;

	if (!bpf_map_lookup_elem(&python_processes, &scratch->record.process.pid))
		return false;
	walk->has_begun = false;
	walk->thread_pointer = own_thread_pointer(task);
	return walk->thread_pointer != 0;
}

#endif
