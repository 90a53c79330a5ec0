/* Executes /bin/true, or another program, so many times, one after another: exec_storm COUNT [PROGRAM] */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char *program = argc > 2 ? argv[2] : "/bin/true";
	char *arguments[] = { program, "one", "two", NULL }, *environment[] = { NULL };
	long count = argc > 1 ? atol(argv[1]) : 1000;

	for (long i = 0; i < count; i++) {
		pid_t child = vfork();

		if (child == 0) {
			execve(arguments[0], arguments, environment);
			_exit(127);
		}
		if (child < 0 || waitpid(child, NULL, 0) != child)
			return 1;
	}
	return 0;
}
