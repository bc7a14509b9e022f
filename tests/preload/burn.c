/* SPDX-License-Identifier: MIT
 * burn: makes a server slower on purpose, for LD_PRELOAD: with ECHOLAB_BURN_PERCENT=5 each thread
 * burns 5 % of the CPU time that it has used, in some of its calls of epoll_wait. What finds
 * slowdowns is tested with it.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

enum { EVERY = 8 }; /* calls: to read the clock costs time, too */

static int64_t percent;

static void __attribute__((constructor)) burn_init(void)
{
	const char *text = getenv("ECHOLAB_BURN_PERCENT");

	percent = text ? strtoll(text, NULL, 10) : 0;
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int epoll_wait(int fd, struct epoll_event *events, int max, int ms)
{
	static int (*real)(int, struct epoll_event *, int, int);
	static _Thread_local int64_t last_ns, owed_ns;
	static _Thread_local unsigned calls;
	int64_t begin_ns;

	if (!real)
		real = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
	if (percent > 0 && ++calls % EVERY == 0) {
		begin_ns = cpu_ns();
		owed_ns += (begin_ns - last_ns) * percent / 100;
		while ((last_ns = cpu_ns()) < begin_ns + owed_ns)
			;
		owed_ns -= last_ns - begin_ns; /* less than 0: it burned too long */
	}
	return real(fd, events, max, ms);
}
