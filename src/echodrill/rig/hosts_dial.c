/* SPDX-License-Identifier: MIT
 * hosts_dial: a connection attempt of the drill's own, for what its client does not try.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "hosts.h"

static int dial_connect(int fd, int family)
{
	const char *text = hosts_address(family, HOST_SERVER);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(HOSTS_PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(HOSTS_PORT) };

	if (family == 6) {
		inet_pton(AF_INET6, text, &v6.sin6_addr);
		return connect(fd, (void *)&v6, sizeof(v6));
	}
	inet_pton(AF_INET, text, &v4.sin_addr);
	return connect(fd, (void *)&v4, sizeof(v4));
}

/* How the attempt ended: 0, an errno, or -1: not in time. */
static int dial_outcome(int fd, int64_t limit_ns)
{
	const int64_t end_ns = clock_now_ns() + limit_ns;
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int64_t left_ns = limit_ns;
	int err = 0, n;
	socklen_t len = sizeof(err);

	do {
		n = poll(&p, 1, left_ns > 0 ? (int)(left_ns / MSEC(1)) : 0);
		left_ns = end_ns - clock_now_ns();
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? errno : -1;
	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ? errno : err;
}

const char *hosts_dial(const struct hosts *h, int64_t limit_ns)
{
	const struct linger abort = { 1, 0 }; /* it leaves by RST: no FINs among those that count */
	int fd, err = 0;

	hosts_enter(h, HOST_CLIENT);
	fd = socket(h->family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    0);
	hosts_leave(h);
	if (fd < 0)
		return strerrorname_np(errno);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	if (dial_connect(fd, h->family) < 0 && errno != EINPROGRESS)
		err = errno;
	else
		err = dial_outcome(fd, limit_ns);
	close(fd);
	return err < 0 ? "timeout" : err ? strerrorname_np(err) : "connected";
}
