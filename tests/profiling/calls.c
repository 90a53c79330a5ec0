/*
 * Calls that leave a stack in uncommon ways, the same work below each: by the end of another function (a tail call),
 * out of a library that was opened at run time, and through the procedure linkage table of the program.
 *
 * usage: calls SECONDS LIBRARY
 *
 * SECONDS are of the thread's own CPU time. half_plt does little else than call through the table.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

#define APART __attribute__((noinline, noclone))

void nothing(void);
void call_back(void (*work)(unsigned long));

static volatile unsigned long sink;

APART void burn(unsigned long parts)
{
	unsigned long value = parts;

	for (unsigned long i = 0; i < parts * 20000; i++)
		value = value * 6364136223846793005ul + 1442695040888963407ul;
	sink = value;
}

static double seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec * 1e-9;
}

/* Ends with a jump: whoever called it seems to have called burn. */
APART void tail(unsigned long parts)
{
	sink = parts;
	burn(parts);
}

APART void with_tail_call(void)
{
	tail(1);
	sink = 1;
}

APART void through_opened(void (*opened)(void (*)(unsigned long)))
{
	opened(burn);
	sink = 2;
}

APART void through_linked(void)
{
	call_back(burn);
	sink = 3;
}

APART void half_plt(void)
{
	for (int i = 0; i < 10000; i++)
		nothing();
	sink = 4;
}

int main(int count, char **arguments)
{
	void *library = count > 2 ? dlopen(arguments[2], RTLD_NOW) : NULL;
	void (*opened)(void (*)(unsigned long)) = library ? dlsym(library, "call_back") : NULL;

	if (!opened)
		return 1;
	while (seconds() < atof(arguments[1])) {
		with_tail_call();
		through_opened(opened);
		through_linked();
		half_plt();
	}
	return 0;
}
