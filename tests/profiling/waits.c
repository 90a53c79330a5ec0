/*
 * Waits whose length is known: what a profile of them says can be compared with that.
 *
 * usage: waits KIND…     sleep, pipe, mutex, vfork, stop, sync, turns: one after another, as they are named
 *
 * Each waits in a function of its own, named in_KIND, and says how long that took by CLOCK_MONOTONIC, and how long of
 * it the thread ran by its own clock, in nanoseconds: "sleep 1000123456 81234". What is between is the wait.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define APART __attribute__((noinline, noclone))

static volatile unsigned long sink;

static long nanoseconds_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000l + time.tv_nsec;
}

static void pause_for(long milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000 };

	nanosleep(&time, NULL);
	sink = 1;
}

APART void in_sleep(void)
{
	for (int i = 0; i < 5; i++)
		pause_for(200);
	sink = 2;
}

static int ends[2];

static void *feed(void *unused)
{
	for (int i = 0; i < 10; i++) {
		pause_for(60);
		if (write(ends[1], "x", 1) != 1)
			abort();
	}
	return unused;
}

APART void in_pipe(void)
{
	char byte;

	for (int i = 0; i < 10; i++)
		if (read(ends[0], &byte, 1) != 1)
			abort();
	sink = 3;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;

static void *hold(void *unused)
{
	for (int i = 0; i < 5; i++) {
		pthread_mutex_lock(&mutex);
		pthread_barrier_wait(&barrier);
		pause_for(100);
		pthread_mutex_unlock(&mutex);
		pthread_barrier_wait(&barrier);
	}
	return unused;
}

APART void in_mutex(void)
{
	for (int i = 0; i < 5; i++) {
		pthread_barrier_wait(&barrier);
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
		pthread_barrier_wait(&barrier);
	}
	sink = 4;
}

/* The parent waits until the child is over, and only that wakes it. */
APART void in_vfork(void)
{
	for (int i = 0; i < 3; i++) {
		pid_t child = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);

		if (!child) {
			pause_for(150);
			_exit(0);
		}
		if (child < 0)
			abort();
		waitpid(child, NULL, 0);
	}
	sink = 5;
}

APART void in_stop(void)
{
	raise(SIGSTOP);
	sink = 6;
}

APART void in_sync(int file)
{
	static char bytes[1 << 16];

	for (int i = 0; i < 20; i++)
		if (write(file, bytes, sizeof(bytes)) < 0 || fsync(file))
			abort();
	sink = 7;
}

/* Two threads that both want the same CPU. */
APART void in_turns(void)
{
	unsigned long value = 1;

	while (nanoseconds_of(CLOCK_THREAD_CPUTIME_ID) < 150000000)
		for (int i = 0; i < 100000; i++)
			value = value * 6364136223846793005ul + 1442695040888963407ul;
	sink = value;
}

static void on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		abort();
}

static void *take_turns(void *unused)
{
	on_one_cpu();
	pthread_setname_np(pthread_self(), "other");
	pthread_barrier_wait(&barrier);
	in_turns();
	return unused;
}

static long began, ran;

static void begin(void)
{
	ran = nanoseconds_of(CLOCK_THREAD_CPUTIME_ID);
	/* Last, as it is first at the end: what lies between is below the function that waits. */
	began = nanoseconds_of(CLOCK_MONOTONIC);
}

static void end(const char *kind)
{
	long elapsed = nanoseconds_of(CLOCK_MONOTONIC) - began;

	printf("%s %ld %ld\n", kind, elapsed, nanoseconds_of(CLOCK_THREAD_CPUTIME_ID) - ran);
	fflush(stdout);
}

static void stopped(void)
{
	pid_t child = fork();

	if (!child) {
		begin();
		in_stop();
		end("stop");
		_exit(0);
	}
	waitpid(child, NULL, WUNTRACED);
	pause_for(300);
	kill(child, SIGCONT);
	waitpid(child, NULL, 0);
}

static void *with_turns(void *unused)
{
	on_one_cpu();
	pthread_barrier_wait(&barrier);
	begin();
	in_turns();
	end("turns");
	return unused;
}

APART void wait_for(const char *kind, const char *data)
{
	pthread_t other, another;

	if (!strcmp(kind, "sleep")) {
		begin();
		in_sleep();
		end(kind);
	} else if (!strcmp(kind, "pipe")) {
		if (pipe(ends))
			abort();
		pthread_create(&other, NULL, feed, NULL);
		begin();
		in_pipe();
		end(kind);
		pthread_join(other, NULL);
	} else if (!strcmp(kind, "mutex")) {
		pthread_barrier_init(&barrier, NULL, 2);
		pthread_create(&other, NULL, hold, NULL);
		begin();
		in_mutex();
		end(kind);
		pthread_join(other, NULL);
	} else if (!strcmp(kind, "vfork")) {
		begin();
		in_vfork();
		end(kind);
	} else if (!strcmp(kind, "stop")) {
		stopped();
	} else if (!strcmp(kind, "sync")) {
		int file = open(data, O_CREAT | O_TRUNC | O_WRONLY, 0600);

		begin();
		in_sync(file);
		end(kind);
		unlink(data);
	} else if (!strcmp(kind, "turns")) {
		pthread_barrier_init(&barrier, NULL, 2);
		pthread_create(&other, NULL, take_turns, NULL);
		pthread_create(&another, NULL, with_turns, NULL);
		pthread_join(other, NULL);
		pthread_join(another, NULL);
	} else {
		abort();
	}
	sink = 8;
}

int main(int argc, char **argv)
{
	char data[4096];

	/* Beside the program. */
	snprintf(data, sizeof(data), "%s.data", argv[0]);
	for (int i = 1; i < argc; i++)
		wait_for(argv[i], data);
	return 0;
}
