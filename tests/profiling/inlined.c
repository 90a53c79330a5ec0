/*
 * Three parts of four in one function and one in another, both compiled into the function that calls them.
 *
 * usage: inlined SECONDS
 */
#include <stdlib.h>
#include <time.h>

static volatile unsigned long sink;

static inline __attribute__((always_inline)) void spin(unsigned long rounds)
{
	unsigned long value = rounds;

	for (unsigned long i = 0; i < rounds; i++)
		value = value * 6364136223846793005ul + 1442695040888963407ul;
	sink = value;
}

static inline __attribute__((always_inline)) void three_parts(void)
{
	spin(60000);
}

static inline __attribute__((always_inline)) void one_part(void)
{
	spin(20000);
}

__attribute__((noinline, noclone)) void around(void)
{
	three_parts();
	one_part();
	sink = 1;
}

int main(int count, char **arguments)
{
	struct timespec time;

	do {
		around();
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	} while (time.tv_sec + time.tv_nsec * 1e-9 < (count > 1 ? atof(arguments[1]) : 1));
	return 0;
}
