/* SPDX-License-Identifier: MIT
 * cured_server: a process for each client, which sends back what comes, as naive_server does, but
 * one that finds out when clients are gone, reaps its children, and ends in order.
 *
 * SIGTERM and SIGCHLD are blocked but for the time that ppoll waits: they never come between two
 * steps that belong together.
 *
 * usage: cured_server ADDRESS PORT
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHILDREN_MAX = 1024,
	SILENCE_MS = 3000, /* what is unacknowledged for longer is lost */
	GOODBYE_S = 2,     /* for the client's FIN, after ours */
};

static volatile sig_atomic_t stopping;
static sigset_t while_waiting; /* the signals that are blocked then */
static pid_t children[CHILDREN_MAX];
static unsigned child_count;

static void on_term(int number)
{
	(void)number;
	stopping = 1;
}

/* It only has to end ppoll. */
static void on_child(int number)
{
	(void)number;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void notice_silence(int fd)
{
	const int on = 1, seconds = 1, probes = 2;
	const unsigned unacknowledged_ms = SILENCE_MS;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged_ms,
		   sizeof(unacknowledged_ms));
}

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

/* FIN, and then until the client's: bytes that lie unread when a socket is closed send RST. */
static void say_goodbye(int fd)
{
	char buf[4096];

	alarm(GOODBYE_S);
	shutdown(fd, SHUT_WR);
	while (read(fd, buf, sizeof(buf)) > 0)
		;
}

/* Gives back what comes, until the client has no more or the server is to end. */
static void serve(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	for (;;) {
		if (!stopping)
			ppoll(&p, 1, NULL, &while_waiting);
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0 && !send_all(fd, buf, (size_t)n))
			return;
		if (n < 0 && errno == EAGAIN && stopping)
			break; /* all that had come is answered */
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return;
	}
	say_goodbye(fd);
}

/* One SIGCHLD may stand for several children. */
static void reap(int options)
{
	pid_t pid;

	while (child_count > 0 && (pid = waitpid(-1, NULL, options)) > 0)
		for (unsigned i = 0; i < child_count; i++)
			if (children[i] == pid)
				children[i] = children[--child_count];
}

static void accept_one(int listener)
{
	const int fd = accept(listener, NULL, NULL);
	pid_t pid;

	if (fd < 0) {
		/* the client has left the queue, or there is no descriptor: later */
		if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			poll(NULL, 0, 100);
		return;
	}
	notice_silence(fd);
	pid = fork();
	if (pid == 0) {
		close(listener);
		serve(fd);
		exit(0);
	}
	if (pid > 0)
		children[child_count++] = pid;
	close(fd);
}

static int listen_at(const char *address, const char *port)
{
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	const int on = 1;
	struct addrinfo *at;
	int fd;

	if (getaddrinfo(address, port, &want, &at) != 0)
		die("getaddrinfo");
	fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		die("socket");
	/* a port on which only old connections wait in TIME-WAIT can be had again */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
		die("listen");
	freeaddrinfo(at);
	return fd;
}

int main(int argc, char **argv)
{
	struct pollfd p = { .events = POLLIN };
	sigset_t blocked;

	if (argc != 3) {
		fprintf(stderr, "usage: cured_server ADDRESS PORT\n");
		return 2;
	}
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
	sigdelset(&while_waiting, SIGTERM);
	sigdelset(&while_waiting, SIGCHLD);
	sigaction(SIGTERM, &(struct sigaction){ .sa_handler = on_term }, NULL);
	sigaction(SIGCHLD, &(struct sigaction){ .sa_handler = on_child }, NULL);
	p.fd = listen_at(argv[1], argv[2]);
	while (!stopping) {
		p.events = child_count < CHILDREN_MAX ? POLLIN : 0;
		if (ppoll(&p, 1, NULL, &while_waiting) > 0)
			accept_one(p.fd);
		reap(WNOHANG);
	}
	close(p.fd); /* from now on new clients are refused */
	for (unsigned i = 0; i < child_count; i++)
		kill(children[i], SIGTERM);
	reap(0);
	return 0;
}
