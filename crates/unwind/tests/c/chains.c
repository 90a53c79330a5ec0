/*
 * Known chains of calls, one for each way in which a walk can go wrong, taken until the process is killed.
 * `current` is the leaf that runs, as the one who looks at this process finds it in its memory.
 */
#include <alloca.h>
#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))

volatile int current;
volatile unsigned long sink;

/* A leaf: no prologue, whatever the flags. */
APART void burn(unsigned long rounds)
{
	while (rounds--)
		sink++;
}

/* What comes after each call keeps it from becoming a jump. */
#define LEAF(name, rounds)           \
	APART void leaf_##name(void) \
	{                            \
		current = #name[0];  \
		burn(rounds);        \
		current = 0;         \
	}

LEAF(a, 6000)
LEAF(b, 3000)
LEAF(c, 1000)

APART void leaves(void)
{
	leaf_a();
	leaf_b();
	leaf_c();
	sink++;
}

APART void recurse(int depth)
{
	if (depth)
		recurse(depth - 1);
	else
		for (;;)
			leaves();
	sink++;
}

APART void shallow(void)
{
	recurse(3);
	sink++;
}

APART void deep(void)
{
	recurse(700);
	sink++;
}

/* Each call goes through the procedure linkage table of a dynamic program. */
APART void through_linkage(void)
{
	for (;;)
		sink += toupper('a' + (sink & 15));
}

APART void in_vdso(void)
{
	struct timespec now;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		sink += now.tv_nsec;
	}
}

APART void handler(int number)
{
	(void)number;
	recurse(1);
	sink++;
}

APART void interrupted(void)
{
	raise(SIGUSR1);
	sink++;
}

/* The handler has a stack of its own, which lies below that of what it interrupts, or above. */
APART void on_other_stack(void)
{
	static char room[1 << 16];
	stack_t stack = { .ss_sp = room, .ss_size = sizeof(room) };
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK };

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &action, NULL);
	interrupted();
	sink++;
}

APART void in_signal(void)
{
	signal(SIGUSR1, handler);
	interrupted();
	sink++;
}

/* Interrupted at its first instruction, whose predecessor is another function's: a call through NULL is not. */
APART void faulting(void)
{
	*(volatile int *)8 = 1;
}

APART void in_fault(void)
{
	signal(SIGSEGV, handler);
	faulting();
	sink++;
}

/* Over-aligned locals beside a size that is not known: the CFA is kept on the stack. */
APART void realigned(void)
{
	volatile char aligned[64] __attribute__((aligned(64)));
	volatile char *sized = alloca(64 + (sink & 63));

	aligned[0] = sized[0] = 1;
	recurse(1);
	sink += aligned[0] + sized[0];
}

/* More than 256 KiB, which FP and RA are nevertheless near the top of. */
APART void large_frame(void)
{
	volatile char large[3 << 20];

	large[sink & 4095] = 1;
	recurse(1);
	sink += large[0];
}

APART void *thread(void *unused)
{
	recurse(1);
	sink++;
	return unused;
}

APART void in_thread(void)
{
	pthread_t other;

	pthread_create(&other, NULL, thread, NULL);
	pthread_join(other, NULL);
}

static const struct {
	const char *name;
	void (*run)(void);
} chains[] = {
	{ "shallow", shallow },
	{ "deep", deep },
	{ "through_linkage", through_linkage },
	{ "in_vdso", in_vdso },
	{ "in_signal", in_signal },
	{ "on_other_stack", on_other_stack },
	{ "in_fault", in_fault },
	{ "realigned", realigned },
	{ "large_frame", large_frame },
	{ "in_thread", in_thread },
};

int main(int argc, char **argv)
{
	/* No more than a forgotten process may take. */
	alarm(60);
	for (size_t i = 0; argc == 2 && i < sizeof(chains) / sizeof(*chains); i++) {
		if (strcmp(argv[1], chains[i].name))
			continue;
		puts("ready");
		fflush(stdout);
		chains[i].run();
		sink++;
	}
	return 1;
}
