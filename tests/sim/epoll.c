/* SPDX-License-Identifier: MIT
 * epoll: a registration becomes ready by an event that it asks for, or by being added; a wait tells
 * what poll says then. An edge-triggered one is told once. The order is anybody's.
 */
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <time.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "sim.h"
#include "wrap.h"

_Static_assert((int)EPOLLIN == POLLIN && (int)EPOLLPRI == POLLPRI && (int)EPOLLOUT == POLLOUT &&
		       (int)EPOLLERR == POLLERR && (int)EPOLLHUP == POLLHUP &&
		       (int)EPOLLRDHUP == POLLRDHUP,
	       "one set of names");

static unsigned wanted(const struct file *f)
{
	return f->events | EPOLLERR | EPOLLHUP;
}

static bool may_be_told(const struct file *f)
{
	return f->refs > 0 && f->watched && (f->ready || !(f->events & EPOLLET));
}

WRAP(int, epoll_create1, int flags)
{
	(void)flags;
	return file_open(FILE_EPOLL, NULL);
}

WRAP(int, epoll_ctl, int epoll, int op, int fd, struct epoll_event *ev)
{
	struct file *f = file_of(fd);

	(void)epoll;
	world_tick();
	if (!f)
		sim_fail("bad-descriptor", "epoll_ctl(%d)", fd);
	if (op == EPOLL_CTL_DEL) {
		f->watched = false;
		return 0;
	}
	if (f->watched) {
		errno = EEXIST;
		return -1;
	}
	if (world_fault(50)) {
		if (f->flow)
			f->flow->fault = ENOMEM;
		errno = ENOMEM;
		return -1;
	}
	f->watched = true;
	f->events = ev->events;
	f->data = ev->data.u64;
	f->ready = (file_poll(f) & wanted(f)) != 0;
	return 0;
}

static bool anything_ready(void)
{
	for (int i = 0; i < FILES_MAX; i++) {
		struct file *f = &file_table[i];

		if (!may_be_told(f))
			continue;
		if (file_poll(f) & wanted(f))
			return true;
		f->ready = false;
	}
	return false;
}

static int collect(struct epoll_event *events, int max)
{
	const unsigned from = choice_below(FILES_MAX);
	int n = 0;

	for (unsigned i = 0; i < FILES_MAX && n < max; i++) {
		struct file *f = &file_table[(from + i) % FILES_MAX];
		unsigned what = may_be_told(f) ? file_poll(f) & wanted(f) : 0;

		f->ready = false;
		if (what == 0)
			continue;
		events[n++] = (struct epoll_event){ .events = what, .data.u64 = f->data };
		TRACE("epoll: %#x of file %ld", what, (long)(f - file_table));
	}
	return n;
}

static int wait_for(struct epoll_event *events, int max, int64_t wait_ns)
{
	world_tick();
	checker_looks();
	if (wait_ns != 0 && !anything_ready() && world_fault(100)) { /* only who sleeps is woken */
		errno = EINTR;
		return -1;
	}
	return world_wait(anything_ready, wait_ns) ? collect(events, max) : 0;
}

WRAP(int, epoll_wait, int epoll, struct epoll_event *events, int max, int wait_ms)
{
	(void)epoll;
	return wait_for(events, max, wait_ms < 0 ? -1 : MSEC(wait_ms));
}

WRAP(int, epoll_pwait2, int epoll, struct epoll_event *events, int max, const struct timespec *t,
     const void *mask)
{
	(void)epoll;
	(void)mask;
	return wait_for(events, max, t ? SEC(t->tv_sec) + t->tv_nsec : -1);
}
