/* SPDX-License-Identifier: MIT
 * ring_poll: waits for an io_uring with poll(2), on an eventfd that the ring signals. For valgrind
 * (3.19 and before, at least), which runs one thread at a time and lets no other one run while
 * io_uring_enter waits. The rings are not restricted, or they would take no eventfd.
 */
#include <dlfcn.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static __thread int event_fd = -1;

/* liburing's own, by name: not every program that is run has it. */
static int real(const char *name, struct io_uring *ring)
{
	int (*f)(struct io_uring *) = (int (*)(struct io_uring *))dlsym(RTLD_NEXT, name);

	return f ? f(ring) : -ENOSYS;
}

int io_uring_register(unsigned fd, unsigned opcode, const void *arg, unsigned count)
{
	int (*f)(unsigned, unsigned, const void *, unsigned) =
		(int (*)(unsigned, unsigned, const void *, unsigned))dlsym(RTLD_NEXT,
									   "io_uring_register");

	if (opcode == IORING_REGISTER_RESTRICTIONS)
		return 0;
	return f ? f(fd, opcode, arg, count) : -ENOSYS;
}

/* Every time: a ring that has it already answers EBUSY. */
static void watch(struct io_uring *ring)
{
	int (*reg)(struct io_uring *, int) =
		(int (*)(struct io_uring *, int))dlsym(RTLD_NEXT, "io_uring_register_eventfd");

	if (event_fd < 0)
		event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (reg)
		(void)reg(ring, event_fd);
}

static int submit_and_poll(struct io_uring *ring, const struct __kernel_timespec *ts)
{
	int wait_ms = ts ? (int)(ts->tv_sec * 1000 + (ts->tv_nsec + 999999) / 1000000) : -1;
	struct pollfd p = { .events = POLLIN };
	int r;

	watch(ring);
	p.fd = event_fd;
	r = real("io_uring_submit", ring);
	if (r >= 0)
		(void)real("io_uring_get_events", ring);
	while (r >= 0 && io_uring_cq_ready(ring) == 0) {
		int n = poll(&p, 1, wait_ms);
		uint64_t drop;

		if (n < 0)
			return -errno;
		if (n == 0)
			return -ETIME;
		(void)!read(event_fd, &drop, sizeof(drop));
		(void)real("io_uring_get_events", ring);
	}
	return r;
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned wait_nr)
{
	(void)wait_nr; /* all that ask want one */
	return submit_and_poll(ring, NULL);
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
				     unsigned wait_nr, struct __kernel_timespec *ts,
				     sigset_t *sigmask)
{
	(void)cqe;
	(void)wait_nr;
	(void)sigmask;
	return submit_and_poll(ring, ts);
}
