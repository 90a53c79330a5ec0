/*
 * Work whose shares are known: what a profile of it says can be compared with that.
 *
 * usage: workload shares SECONDS DEPTH [WARM_UP]
 *                                        60, 30 and 10 of 100 parts below leaf_a, leaf_b and leaf_c, DEPTH calls deep,
 *                                        after WARM_UP seconds in warm_up, which is not deep
 *        workload kinds SECONDS          below frames of many kinds, the same work in each
 *        workload aligned SECONDS        in step with a clock of 10 ms; prints the true parts of in_step and out_of_step
 *
 * SECONDS are of the thread's own CPU time, so that a busy machine changes nothing.
 */
#include <alloca.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define APART __attribute__((noinline, noclone))

static volatile unsigned long sink;

/* The hot leaf of all: it has no frame of its own, and its callers do not end with calling it. */
APART void burn(unsigned long parts)
{
	unsigned long value = parts;

	for (unsigned long i = 0; i < parts * 20000; i++)
		value = value * 6364136223846793005ul + 1442695040888963407ul;
	sink = value;
}

static double seconds_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

APART void leaf_a(void)
{
	burn(6);
	sink = 1;
}

APART void leaf_b(void)
{
	burn(3);
	sink = 2;
}

APART void leaf_c(void)
{
	burn(1);
	sink = 3;
}

APART void middle_x(void)
{
	leaf_a();
	leaf_b();
	sink = 4;
}

APART void middle_y(void)
{
	leaf_c();
	sink = 5;
}

APART long recurse(long depth)
{
	long below = 0;

	if (depth > 0) {
		below = recurse(depth - 1);
	} else {
		middle_x();
		middle_y();
	}
	sink = below;
	return below + 1;
}

APART void with_alloca(unsigned long bytes)
{
	char *place = alloca(bytes);

	memset(place, 1, bytes);
	burn(1);
	sink = place[bytes / 2];
}

APART void realigned(void)
{
	volatile char place[256] __attribute__((aligned(128)));

	place[0] = 1;
	burn(1);
	sink = place[0];
}

static int compare(const void *one, const void *other)
{
	burn(1);
	sink = 6;
	return *(const int *)one - *(const int *)other;
}

APART void through_library(void)
{
	int numbers[2] = { 2, 1 };

	qsort(numbers, 2, sizeof(numbers[0]), compare);
	sink = numbers[0];
}

APART void handler(int number)
{
	burn(1);
	sink = number;
}

APART void interrupted(void)
{
	raise(SIGUSR1);
	sink = 7;
}

APART void interrupted_elsewhere(void)
{
	raise(SIGUSR2);
	sink = 8;
}

APART void in_step(double until)
{
	while (seconds_of(CLOCK_MONOTONIC) < until)
		sink++;
}

APART void out_of_step(double until)
{
	while (seconds_of(CLOCK_MONOTONIC) < until)
		sink++;
}

/* Whoever profiles meets the program here, where no stack is deeper than what a sample brings along. */
APART void warm_up(double seconds)
{
	while (seconds_of(CLOCK_THREAD_CPUTIME_ID) < seconds)
		sink++;
}

static void aligned(double seconds)
{
	double times[2] = { 0, 0 }, before = seconds_of(CLOCK_THREAD_CPUTIME_ID), now;

	while (before < seconds) {
		double period = (long)(seconds_of(CLOCK_MONOTONIC) * 100) / 100.0;

		in_step(period + 0.002);
		now = seconds_of(CLOCK_THREAD_CPUTIME_ID);
		times[0] += now - before;
		before = now;
		out_of_step(period + 0.010);
		now = seconds_of(CLOCK_THREAD_CPUTIME_ID);
		times[1] += now - before;
		before = now;
	}
	printf("%f %f\n", times[0], times[1]);
}

static void kinds(double seconds)
{
	static char other_stack[1 << 16];
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };
	struct sigaction here = { .sa_handler = handler };
	struct sigaction elsewhere = { .sa_handler = handler, .sa_flags = SA_ONSTACK };

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &here, NULL);
	sigaction(SIGUSR2, &elsewhere, NULL);
	while (seconds_of(CLOCK_THREAD_CPUTIME_ID) < seconds) {
		with_alloca(100 + (sink & 63));
		realigned();
		through_library();
		interrupted();
		interrupted_elsewhere();
	}
}

int main(int count, char **arguments)
{
	double seconds = count > 2 ? atof(arguments[2]) : 1;

	if (count > 4) {
		warm_up(atof(arguments[4]));
		seconds += seconds_of(CLOCK_THREAD_CPUTIME_ID);
	}
	if (count > 1 && !strcmp(arguments[1], "kinds"))
		kinds(seconds);
	else if (count > 1 && !strcmp(arguments[1], "aligned"))
		aligned(seconds);
	else
		do
			sink = recurse(count > 3 ? atol(arguments[3]) : 3);
		while (seconds_of(CLOCK_THREAD_CPUTIME_ID) < seconds);
	return 0;
}
