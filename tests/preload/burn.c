/* SPDX-License-Identifier: MIT
 * burn: makes a server slower on purpose, for LD_PRELOAD: every recv that brings bytes costs
 * ECHOLAB_BURN_NS nanoseconds of CPU time more. What finds slowdowns is tested with it.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

static int64_t burn_ns;

static void __attribute__((constructor)) burn_init(void)
{
	const char *text = getenv("ECHOLAB_BURN_NS");

	burn_ns = text ? strtoll(text, NULL, 10) : 0;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
	static ssize_t (*real)(int, void *, size_t, int);
	int64_t end_ns;
	ssize_t n;

	if (!real)
		real = (ssize_t(*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
	n = real(fd, buf, len, flags);
	if (n > 0 && burn_ns > 0) {
		end_ns = now_ns() + burn_ns;
		while (now_ns() < end_ns)
			;
	}
	return n;
}
