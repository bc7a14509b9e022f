/* SPDX-License-Identifier: MIT
 * cured_client: sends each line of its user and prints the answer, as naive_client does, but waits
 * for user and server at once, and for nothing without a limit.
 *
 * usage: cured_client ADDRESS PORT
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PATIENCE_MS = 3000, /* for an answer */
	OWED_MAX = 32768,   /* more is not sent before some of it has come back */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Says why it ends. Returns the exit code. */
static int failed(const char *what)
{
	perror(what);
	return 1;
}

/* Lets the kernel find out that the peer is gone: probes when the connection is idle, and a limit
 * for what is not acknowledged. */
static void notice_silence(int fd)
{
	const int on = 1, seconds = 1, probes = 2;
	const unsigned unacknowledged_ms = PATIENCE_MS;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms,
		   sizeof(unacknowledged_ms));
}

/* Returns the connection, or -1 with errno. */
static int dial(const char *address, const char *port)
{
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *all, *at;
	int fd = -1;

	if (getaddrinfo(address, port, &want, &all) != 0) {
		errno = EADDRNOTAVAIL;
		return -1;
	}
	for (at = all; at && fd < 0; at = at->ai_next) {
		fd = socket(at->ai_family, SOCK_STREAM, 0);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) < 0) {
			const int why = errno;

			close(fd);
			errno = why;
			fd = -1;
		}
	}
	freeaddrinfo(all);
	return fd;
}

/* MSG_NOSIGNAL: EPIPE instead of SIGPIPE. */
static bool send_all(int fd, const char *from, size_t len)
{
	while (len > 0) {
		const ssize_t n = send(fd, from, len, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return false;
		from += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

/* What is going on: between the user and the server. */
struct talk {
	struct pollfd user, server; /* user.fd is -1 behind the end of its input */
	size_t owed;                /* bytes that were sent and have not come back */
	int64_t deadline_ms;        /* for some more of them */
};

enum { GOES_ON = -1 }; /* else an exit code */

static int take_answer(struct talk *t)
{
	char buf[4096];
	const ssize_t n = recv(t->server.fd, buf, sizeof(buf), 0);

	if (n < 0)
		return errno == EINTR ? GOES_ON : failed("recv");
	if (n == 0 && t->user.fd < 0 && t->owed == 0)
		return 0; /* both directions are closed, and all was answered */
	if (n == 0) {
		fprintf(stderr, "the server has closed the connection\n");
		return 1;
	}
	fwrite(buf, 1, (size_t)n, stdout);
	fflush(stdout);
	t->owed -= (size_t)n < t->owed ? (size_t)n : t->owed;
	t->deadline_ms = now_ms() + PATIENCE_MS;
	return GOES_ON;
}

static int take_input(struct talk *t)
{
	char buf[4096];
	const ssize_t n = read(t->user.fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR ? GOES_ON : failed("read");
	if (t->owed == 0)
		t->deadline_ms = now_ms() + PATIENCE_MS;
	if (n == 0) {
		shutdown(t->server.fd, SHUT_WR); /* FIN: no more of us, but answers may come */
		t->user.fd = -1;
	} else if (!send_all(t->server.fd, buf, (size_t)n)) {
		return failed("send");
	}
	t->owed += (size_t)n;
	return GOES_ON;
}

/* Waits for user and server, and for what the server owes not longer than it may take. Returns 0,
 * or -1 with errno. */
static int wait_for_both(struct talk *t)
{
	struct pollfd p[2] = { t->user, t->server };
	const bool owes = t->owed > 0 || t->user.fd < 0;
	const int64_t left_ms = t->deadline_ms - now_ms();
	int ready = 0;

	p[0].events = t->owed < OWED_MAX ? POLLIN : 0;
	if (!owes || left_ms > 0)
		ready = poll(p, 2, owes ? (int)left_ms : -1);
	if (ready == 0)
		errno = ETIMEDOUT;
	t->user.revents = ready > 0 ? p[0].revents : 0;
	t->server.revents = ready > 0 ? p[1].revents : 0;
	return ready > 0 || errno == EINTR ? 0 : -1;
}

static int talk(int fd)
{
	struct talk t = { .user = { .fd = STDIN_FILENO },
			  .server = { .fd = fd, .events = POLLIN } };
	int code = GOES_ON;

	while (code == GOES_ON) {
		if (wait_for_both(&t) < 0)
			return failed("waiting for an answer");
		/* the server first: its end is news to what the user says */
		if (t.server.revents)
			code = take_answer(&t);
		if (code == GOES_ON && t.user.revents)
			code = take_input(&t);
	}
	return code;
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: cured_client ADDRESS PORT\n");
		return 2;
	}
	fd = dial(argv[1], argv[2]);
	if (fd < 0)
		return failed("connect");
	notice_silence(fd);
	return talk(fd);
}
