/*
 * Makes a system call that fails and that hardly anybody else makes, timer_delete of no timer, so many times in each
 * millisecond at the most, until SIGTERM or until it has made so many, and prints how many it made:
 * call_flood PER_MILLISECOND [MOST]
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS 1000000

static volatile sig_atomic_t ends;

static void end(int signal)
{
	ends = signal;
}

/* Waits for the beginning of a millisecond; those that went by meanwhile are not made up for. */
static void wait_for_tick(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += TICK_NS - at.tv_nsec % TICK_NS;
	if (at.tv_nsec == 1000 * TICK_NS) {
		at.tv_nsec = 0;
		at.tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

int main(int argc, char **argv)
{
	unsigned long at_once, most, calls = 0;

	if (argc < 2 || signal(SIGTERM, end) == SIG_ERR)
		return 2;
	at_once = strtoul(argv[1], NULL, 10);
	most = argc > 2 ? strtoul(argv[2], NULL, 10) : -1UL;
	while (!ends && calls < most) {
		wait_for_tick();
		for (unsigned long i = 0; i < at_once && calls < most; i++, calls++)
			syscall(SYS_timer_delete, -1L);
	}
	printf("%lu\n", calls);
	return 0;
}
