/* SPDX-License-Identifier: MIT
 * naive_client: the client that everybody writes first. It sends each line of its user and prints
 * the answer, and it is wrong in all four lessons.
 *
 * usage: naive_client ADDRESS PORT
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int dial(const char *address, const char *port)
{
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *at;
	int fd;

	if (getaddrinfo(address, port, &want, &at) != 0)
		die("getaddrinfo");
	fd = socket(at->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, at->ai_addr, at->ai_addrlen) < 0)
		die("connect");
	freeaddrinfo(at);
	return fd;
}

static void talk(int fd)
{
	char line[4096];
	ssize_t n;

	while (fgets(line, sizeof(line), stdin)) {     /* 1: the server may have gone meanwhile */
		if (write(fd, line, strlen(line)) < 0) /* 2: SIGPIPE comes before the error */
			perror("write");
		n = read(fd, line, sizeof(line)); /* 3: for how long? */
		if (n < 0) {
			perror("read"); /* 4: and then it goes on */
			continue;
		}
		fwrite(line, 1, (size_t)n, stdout); /* 5: if n is 0, it prints nothing */
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: naive_client ADDRESS PORT\n");
		return 2;
	}
	talk(dial(argv[1], argv[2]));
	return 0;
}
