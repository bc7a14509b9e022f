/* SPDX-License-Identifier: MIT
 * naive_server: the server that everybody writes first: a process for each client, which sends back
 * what comes. It is wrong in all four lessons.
 *
 * usage: naive_server ADDRESS PORT
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void serve(int fd)
{
	char buf[4096];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) /* 1: and if the client is gone? */
		if (write(fd, buf, (size_t)n) != n)
			return;
}

static void serve_all(const struct addrinfo *at)
{
	int listener = socket(at->ai_family, SOCK_STREAM, 0);
	int fd;

	if (listener < 0 || bind(listener, at->ai_addr, at->ai_addrlen) < 0) /* 2: and next time? */
		die("bind");
	if (listen(listener, SOMAXCONN) < 0)
		die("listen");
	for (;;) { /* 3: until when? */
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			die("accept");
		if (fork() == 0) {
			serve(fd);
			exit(0); /* 4: who asks for this? */
		}
		close(fd);
	}
}

int main(int argc, char **argv)
{
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *at;

	if (argc != 3) {
		fprintf(stderr, "usage: naive_server ADDRESS PORT\n");
		return 2;
	}
	if (getaddrinfo(argv[1], argv[2], &want, &at) != 0)
		die("getaddrinfo");
	serve_all(at);
}
