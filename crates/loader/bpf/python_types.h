/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What user space tells the probes of a process that has an interpreter of Python in it, and what they answer. */
#ifndef CHANDRA_PYTHON_TYPES_H
#define CHANDRA_PYTHON_TYPES_H

#include "kernel.h"

/* How the interpreter keeps its frames. */
enum python_frame_kind {
	/* To 3.10: objects, and each has a call of the interpreter's loop to itself. */
	PYTHON_FRAME_OBJECTS,
	/* 3.11: a frame says whether the loop was entered for it. */
	PYTHON_FRAME_FLAGS,
	/* From 3.12 on: where the loop was entered, a frame stands that runs no code of a program's. */
	PYTHON_FRAME_BORDERS,
};

/*
 * Where things are, in bytes from the start of what they are in; `..._bytes` is how much of it is read at once.
 * User space has seen to it that all of a thread and of a frame is within what is read.
 */
struct python_process {
	__u64 interpreters; /* the address of the pointer to the first one */
	__u32 frame_kind;   /* enum python_frame_kind */
	__u32 interpreter_next;
	__u32 interpreter_threads; /* the pointer to the first one */
	__u32 thread_bytes;
	__u32 thread_previous;
	__u32 thread_next;
	__u32 thread_interpreter;
	__u32 thread_id;
	__u32 thread_frame;
	__u32 thread_frame_is_indirect; /* there is a pointer to where the pointer to the frame is */
	__u32 indirect_frame;
	__u32 frame_bytes;
	__u32 frame_previous;
	__u32 frame_code;
	__u32 frame_instruction;
	__u32 frame_entry;  /* PYTHON_FRAME_FLAGS: a byte */
	__u32 frame_owner;  /* PYTHON_FRAME_BORDERS: a byte */
	__u32 border_owner; /* from this owner on */
};

/* Why the frames end where they do. */
enum python_end {
	PYTHON_END_NONE,       /* no interpreter is known in this process */
	PYTHON_END_OUTERMOST,  /* all are there */
	PYTHON_END_DEPTH,      /* there are more */
	PYTHON_END_UNREADABLE, /* memory could not be read */
	PYTHON_END_NO_THREAD, /* the interpreter does not know this thread: it runs no code of Python's */
	PYTHON_END_MANY_THREADS, /* it was not found among the first ones */
	PYTHON_END_NOT_STARTED,  /* the interpreter is not set up, or is taken down */
};

/*
 * A frame: bits 0 to 43 are those from 4 on of its code object's address, 0 for a frame without; bits 44 to 62
 * where it is in it, in instructions (as the interpreter counts them: see `instruction_of`), all set for not
 * known; bit 63: the interpreter's loop was entered for it.
 */
#define PYTHON_CODE_SHIFT       4
#define PYTHON_CODE_BITS        44
#define PYTHON_INSTRUCTION_BITS 19
#define PYTHON_UNKNOWN_PLACE    ((1ull << PYTHON_INSTRUCTION_BITS) - 1)
#define PYTHON_IS_ENTRY         (1ull << 63)
#define PYTHON_BLOCK_WORDS      32

/* A thread's state in an interpreter, as it was found last. */
struct python_thread {
	__u64 state; /* its address; 0: there was none */
	__u64 looked_ns;
};

/* Where a walk over a thread's frames is. */
struct python_walk {
	__u64 frame;
	__u64 thread_pointer; /* what the interpreter knows the thread by: pthread_self(3) */
	__u64 block[PYTHON_BLOCK_WORDS];
	__u32 has_begun;
};

#endif
