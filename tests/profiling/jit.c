/*
 * Makes code at run time and tells its names as such programs do, in /tmp/perf-PID.map; two parts of three are spent in
 * made_two and one in made_one.
 *
 * usage: jit SECONDS
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* push rbp; mov rbp, rsp; again: dec rdi; jnz again; pop rbp; ret */
static const unsigned char loop[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xff, 0xcf, 0x75, 0xfb, 0x5d, 0xc3 };

typedef void (*made)(unsigned long rounds);

int main(int count, char **arguments)
{
	unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct timespec time;
	char path[64];
	FILE *list;

	if (code == MAP_FAILED)
		return 1;
	memcpy(code, loop, sizeof(loop));
	memcpy(code + 64, loop, sizeof(loop));
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	list = fopen(path, "w");
	if (!list)
		return 1;
	fprintf(list, "%lx %zx made_two\n", (unsigned long)code, sizeof(loop));
	fprintf(list, "%lx %zx made_one\n", (unsigned long)code + 64, sizeof(loop));
	fclose(list);
	do {
		((made)code)(200000);
		((made)(code + 64))(100000);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	} while (time.tv_sec + time.tv_nsec * 1e-9 < (count > 1 ? atof(arguments[1]) : 1));
	if (count > 2)
		unlink(path);
	return 0;
}
