/* Opens a file as fast as can be until SIGTERM, and prints how often: open_flood FILE */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t ends;

static void end(int signal)
{
	ends = signal;
}

int main(int argc, char **argv)
{
	unsigned long opens = 0;

	if (argc != 2 || signal(SIGTERM, end) == SIG_ERR)
		return 2;
	while (!ends) {
		int descriptor = open(argv[1], O_RDONLY);

		if (descriptor < 0)
			return 1;
		close(descriptor);
		opens++;
	}
	printf("%lu\n", opens);
	return 0;
}
