/* SPDX-License-Identifier: MIT
 * textbook_server: the concurrent echo server that every book on network programming begins with,
 * for tests of what is not ours: a process for each connection, and no signal handled but SIGCHLD.
 *
 * usage: textbook_server ADDRESS PORT [once]
 * "once" waits for one child at each SIGCHLD, which leaves zombies when several end together.
 */
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool reap_once;

static void on_child(int number)
{
	int saved = errno;

	(void)number;
	if (reap_once)
		(void)wait(NULL);
	else
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	errno = saved;
}

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static int listen_at(const char *address, const char *port)
{
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	const int on = 1;
	struct addrinfo *at;
	int fd;

	if (getaddrinfo(address, port, &want, &at) != 0) {
		fprintf(stderr, "no address: %s %s\n", address, port);
		exit(2);
	}
	fd = socket(at->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
		die("listen");
	freeaddrinfo(at);
	return fd;
}

static bool write_all(int fd, const char *from, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, from, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		from += n;
		len -= (size_t)n;
	}
	return true;
}

/* Gives back what comes, until the peer has no more. */
static void serve(int fd)
{
	char buf[4096];
	ssize_t n;

	do {
		n = read(fd, buf, sizeof(buf));
	} while ((n > 0 && write_all(fd, buf, (size_t)n)) || (n < 0 && errno == EINTR));
}

int main(int argc, char **argv)
{
	const struct sigaction child = { .sa_handler = on_child };
	int listener;

	if (argc < 3) {
		fprintf(stderr, "usage: textbook_server ADDRESS PORT [once]\n");
		return 2;
	}
	reap_once = argc > 3 && strcmp(argv[3], "once") == 0;
	sigaction(SIGCHLD, &child, NULL);
	listener = listen_at(argv[1], argv[2]);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue; /* SIGCHLD, or a peer that has left the queue */
		if (fd < 0)
			die("accept");
		if (fork() == 0) {
			close(listener);
			serve(fd);
			return 0;
		}
		close(fd);
	}
}
