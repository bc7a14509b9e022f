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

const char *hosts_dial(const struct hosts *h, int64_t limit_ns)
{
	const struct linger abort = { 1, 0 }; /* it leaves by RST: no FINs among those that count */
	struct pollfd p = { .events = POLLOUT };
	int err = 0;
	socklen_t len = sizeof(err);

	hosts_enter(h, HOST_CLIENT);
	p.fd = socket(h->family == 6 ? AF_INET6 : AF_INET,
		      SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	hosts_leave(h);
	if (p.fd < 0)
		return strerrorname_np(errno);
	setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	if (dial_connect(p.fd, h->family) < 0 && errno != EINPROGRESS)
		err = errno;
	else if (poll(&p, 1, (int)(limit_ns / MSEC(1))) == 0)
		err = -1;
	else
		getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &err, &len);
	close(p.fd);
	return err < 0 ? "timeout" : err ? strerrorname_np(err) : "connected";
}
