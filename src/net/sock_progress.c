/* SPDX-License-Identifier: MIT
 * sock_progress: what the kernel tells of bytes that a peer has acknowledged, or has yet to take.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* tcp_info with tcpi_bytes_acked; glibc's netinet/tcp.h of 2.36 lacks it */
#include <netinet/in.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "echo/base/base.h"
#include "echo/net/sock.h"

/* What the kernel tells of a connection, as far as tcpi_notsent_bytes (Linux 4.6): 0 or -errno. */
static int sock_info(int fd, struct tcp_info *info)
{
	socklen_t len = sizeof(*info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &len) < 0)
		return -errno;
	if (len < offsetof(struct tcp_info, tcpi_notsent_bytes) + sizeof(info->tcpi_notsent_bytes))
		return -ENOTSUP;
	return 0;
}

int sock_acked(int fd, bool dialed, uint64_t sent, uint64_t *bytes)
{
	struct tcp_info info;
	int r = sock_info(fd, &info);

	if (r == -EOPNOTSUPP) /* a unix socket has no options but those of all sockets */
		*bytes = sent;
	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	*bytes = info.tcpi_bytes_acked;
	if (dialed && *bytes > 0)
		*bytes -= 1;
	return 0;
}

/* What the peer has not read yet the kernel counts as memory, not as bytes: good enough to see that
 * it has changed, and whether there is any. */
static int sock_progress_unix(int fd, uint64_t sent, struct sock_progress *p)
{
	int unread;

	if (ioctl(fd, SIOCOUTQ, &unread) < 0)
		return -errno;
	p->acked = sent - (uint64_t)unread;
	p->owes = unread > 0;
	return 1;
}

int sock_progress(int fd, uint64_t sent, struct sock_progress *p)
{
	struct tcp_info info;
	int r = sock_info(fd, &info);

	if (r == -EOPNOTSUPP)
		return sock_progress_unix(fd, sent, p);
	if (r < 0)
		return r;
	p->acked = info.tcpi_bytes_acked;
	p->owes = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
	p->quiet_ns = MSEC(info.tcpi_last_data_sent < info.tcpi_last_data_recv
				   ? info.tcpi_last_data_sent
				   : info.tcpi_last_data_recv);
	return 0;
}

int sock_queued(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
		return -errno;
	return (int)info.tcpi_unacked; /* of a listener this is sk_ack_backlog (net/ipv4/tcp.c) */
}
