/* SPDX-License-Identifier: MIT
 * clock: nanoseconds in an int64_t (292 years) and sleeps to a point in time, not for a duration,
 * so that neither signals nor late wake-ups add up.
 */
#include "echo/base/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"

static int64_t read_ns(clockid_t id)
{
	struct timespec t;
	int r = clock_gettime(id, &t);

	assert(r == 0); /* only for a clock that does not exist */
	(void)r;
	return SEC(t.tv_sec) + t.tv_nsec;
}

int64_t clock_now_ns(void)
{
	return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_unix_ns(void)
{
	return read_ns(CLOCK_REALTIME);
}

int64_t clock_thread_cpu_ns(void)
{
	return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

int64_t clock_thread_wait_ns(void)
{
	int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
	long long waited = -1;
	char text[64];
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1); /* nanoseconds on a CPU, and waiting for one */
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return sscanf(text, "%*d %lld", &waited) == 1 ? waited : -1;
}

void clock_sleep_until(int64_t at_ns)
{
	struct timespec at = { .tv_sec = at_ns / SEC(1), .tv_nsec = at_ns % SEC(1) };

	if (at_ns <= 0) /* long ago; the kernel would refuse it */
		return;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}
