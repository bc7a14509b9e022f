/* SPDX-License-Identifier: MIT
 * sockets: what a drill does with sockets itself: a process that shares the server's port, and
 * copies of a process's connections.
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "hosts.h"

enum { SHARE_BACKLOG = 128 };

static int share_bind(int fd, int family)
{
	const char *text = hosts_address(family, HOST_SERVER);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(HOSTS_PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(HOSTS_PORT) };
	int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)) < 0)
		return -errno;
	inet_pton(AF_INET, text, &v4.sin_addr);
	inet_pton(AF_INET6, text, &v6.sin6_addr);
	if (bind(fd, family == 6 ? (void *)&v6 : (void *)&v4,
		 family == 6 ? sizeof(v6) : sizeof(v4)) < 0 ||
	    listen(fd, SHARE_BACKLOG) < 0)
		return -errno;
	return 0;
}

/* It holds the listener and nothing else: no end of a pipe whose end another process waits for. */
static void __attribute__((noreturn)) share_hold(int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	dup2(fd, STDIN_FILENO);
	close_range(STDERR_FILENO + 1, ~0u, 0);
	for (;;)
		pause();
}

pid_t sockets_share(const struct hosts *h)
{
	pid_t pid = -1;
	int fd, r;

	hosts_enter(h, HOST_SERVER);
	fd = socket(h->family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = fd < 0 ? -errno : share_bind(fd, h->family);
	hosts_leave(h);
	if (r == 0) {
		pid = fork();
		if (pid == 0)
			share_hold(fd);
		r = pid < 0 ? -errno : 0;
	}
	if (fd >= 0)
		close(fd);
	return r < 0 ? r : pid;
}

/* Whether a descriptor is a TCP socket of that kind. */
static bool is_socket(int fd, enum sockets_kind kind)
{
	int listens = 0, protocol = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == IPPROTO_TCP &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 &&
	       (listens != 0) == (kind == SOCKETS_LISTENING);
}

/* Looks at copies of a process's descriptors. @keep: those that are counted stay open. */
static unsigned sockets_inspect(pid_t pid, enum sockets_kind kind, bool keep)
{
	char path[64];
	const struct dirent *e;
	int pidfd = pidfd_open(pid, 0);
	unsigned count = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		int fd = e->d_name[0] == '.'
				 ? -1
				 : pidfd_getfd(pidfd, (int)strtol(e->d_name, NULL, 10), 0);
		bool counts = fd >= 0 && is_socket(fd, kind);

		count += counts;
		if (fd >= 0 && !(counts && keep))
			close(fd);
	}
	if (d)
		closedir(d);
	if (pidfd >= 0)
		close(pidfd);
	return count;
}

unsigned sockets_count(pid_t pid, enum sockets_kind kind)
{
	return sockets_inspect(pid, kind, false);
}

unsigned sockets_leak(pid_t pid)
{
	return sockets_inspect(pid, SOCKETS_CONNECTED, true); /* until this machine ends */
}
