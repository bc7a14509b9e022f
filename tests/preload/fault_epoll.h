/* SPDX-License-Identifier: MIT
 * fault_epoll: the part of fault.c that knows who waits for what.
 *
 * A socket takes less than it is given when it is full, and gives less than it is asked for when it
 * is empty. So does a short transfer of ours, and the kernel tells when that has changed: at once.
 * Without that an edge-triggered program would wait for an event that no kernel owes it.
 */
#ifndef FAULT_EPOLL_H
#define FAULT_EPOLL_H

enum { ARMED_MAX = 4096 };

static struct {
	int epfd; /* 0: nobody waits for it */
	struct epoll_event e;
} armed[ARMED_MAX]; /* by descriptor */

FAULT(int, epoll_wait, (int fd, struct epoll_event *e, int max, int ms), (fd, e, max, ms))
FAULT(int, epoll_create1, (int flags), (flags))

int epoll_ctl(int fd, int op, int on, struct epoll_event *e)
{
	int r;
	REAL(epoll_ctl);

	if (fault_hits("epoll_ctl") > 0)
		return -1;
	r = real(fd, op, on, e);
	if (r == 0 && on >= 0 && on < ARMED_MAX) {
		armed[on].epfd = op == EPOLL_CTL_DEL ? 0 : fd;
		if (op != EPOLL_CTL_DEL)
			armed[on].e = *e;
	}
	return r;
}

/* Its events are told again. */
static void fault_rearm(int fd)
{
	const int saved = errno;

	if (fd >= 0 && fd < ARMED_MAX && armed[fd].epfd > 0)
		libc_syscall(SYS_epoll_ctl, (const long[6]){ armed[fd].epfd, EPOLL_CTL_MOD, fd,
							     (long)&armed[fd].e });
	errno = saved;
}

#endif
