/* SPDX-License-Identifier: MIT
 * clock_set: the clock of the day is set while a program runs, for LD_PRELOAD: CLOCK_REALTIME is
 * ECHOLAB_CLOCK_SET milliseconds ahead as soon as the file ECHOLAB_CLOCK_SET_WHEN is there. Nothing
 * of the machine changes. What tells a clock that was set is tested with it.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t by_ns;
static const char *when;

static void __attribute__((constructor)) clock_set_init(void)
{
	const char *text = getenv("ECHOLAB_CLOCK_SET");

	by_ns = text ? strtoll(text, NULL, 10) * 1000000 : 0;
	when = getenv("ECHOLAB_CLOCK_SET_WHEN");
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	int r;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	r = real(id, t);
	if (r == 0 && id == CLOCK_REALTIME && when && access(when, F_OK) == 0) {
		const int64_t ns = t->tv_nsec + by_ns;

		t->tv_sec += ns / 1000000000;
		t->tv_nsec = ns % 1000000000;
	}
	return r;
}
