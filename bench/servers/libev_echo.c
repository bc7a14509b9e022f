/* SPDX-License-Identifier: MIT
 * libev_echo: an echo server as libev's manual shows one, and correct: a watcher for each direction
 * of a connection, and one buffer. While something of it is unsent nothing is received, so at the
 * end of input nothing is owed. Leaves out limits, timeouts, statistics and an orderly end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <ev.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 64 << 10 };

struct conn {
	ev_io readable, writable; /* one of them is started */
	size_t at, len;           /* unsent: the rest of the buffer */
	char buffer[CHUNK];
};

static ev_io listener;

static void conn_close(struct ev_loop *loop, struct conn *c)
{
	ev_io_stop(loop, &c->readable);
	ev_io_stop(loop, &c->writable);
	close(c->readable.fd);
	free(c);
	ev_io_start(loop, &listener); /* in case it waits for a descriptor */
}

/* Sends what is there. Returns < 0 when the connection is over. */
static int conn_flush(struct conn *c)
{
	while (c->at < c->len) {
		ssize_t n = send(c->readable.fd, c->buffer + c->at, c->len - c->at, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? 0 : -1;
		c->at += (size_t)n;
	}
	return 0;
}

static void on_writable(struct ev_loop *loop, ev_io *w, int events)
{
	struct conn *c = w->data;

	(void)events;
	if (conn_flush(c) < 0) {
		conn_close(loop, c);
	} else if (c->at == c->len) {
		ev_io_stop(loop, &c->writable);
		ev_io_start(loop, &c->readable);
	}
}

static void on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct conn *c = w->data;
	ssize_t n = recv(w->fd, c->buffer, sizeof(c->buffer), 0);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	c->at = 0;
	c->len = n > 0 ? (size_t)n : 0;
	if (n <= 0 || conn_flush(c) < 0) {
		conn_close(loop, c);
	} else if (c->at < c->len) {
		ev_io_stop(loop, &c->readable);
		ev_io_start(loop, &c->writable);
	}
}

static void on_connection(struct ev_loop *loop, ev_io *w, int events)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *c;

	(void)events;
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			ev_io_stop(loop, w); /* it would be ready at once, again and again */
		return;
	}
	c = malloc(sizeof(*c));
	if (!c) {
		close(fd);
		return;
	}
	ev_io_init(&c->readable, on_readable, fd, EV_READ);
	ev_io_init(&c->writable, on_writable, fd, EV_WRITE);
	c->readable.data = c->writable.data = c;
	ev_io_start(loop, &c->readable);
}

static int open_listener(unsigned port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* what is accepted inherits TCP_NODELAY */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return -1;
	printf("listening 127.0.0.1:%u\n", ntohs(at.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	struct ev_loop *loop = ev_default_loop(0);
	struct rlimit files;
	int fd;

	if (argc != 2 || !loop) {
		fprintf(stderr, "usage: libev_echo PORT\n");
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	fd = open_listener((unsigned)strtoul(argv[1], NULL, 10));
	if (fd < 0) {
		fprintf(stderr, "libev_echo: port %s: %s\n", argv[1], strerror(errno));
		return 4;
	}
	ev_io_init(&listener, on_connection, fd, EV_READ);
	ev_io_start(loop, &listener);
	ev_run(loop, 0);
	return 0;
}
