/* SPDX-License-Identifier: MIT
 * textbook_client: the echo client that every book on network programming begins with, as people
 * publish it, for tests of what is not ours: it reads a line, writes it, reads once and prints.
 * What read returns when the server is gone it takes for an echo.
 *
 * usage: textbook_client ADDRESS PORT [careful|memset]
 * "careful" ends when read returns 0. "memset" clears its buffer with the wrong size after an echo.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_SIZE = 4096 };

static const char *way = "";

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static int connect_to(const char *address, const char *port)
{
	const struct addrinfo want = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *at;
	int fd;

	if (getaddrinfo(address, port, &want, &at) != 0) {
		fprintf(stderr, "no address: %s %s\n", address, port);
		exit(2);
	}
	fd = socket(at->ai_family, SOCK_STREAM, 0);
	if (fd < 0 || connect(fd, at->ai_addr, at->ai_addrlen) < 0)
		die("connect");
	freeaddrinfo(at);
	return fd;
}

static void talk(int fd)
{
	/* a size that no compiler can see to be wrong */
	volatile size_t wrong = (size_t)LINE_SIZE * LINE_SIZE;
	char line[LINE_SIZE], back[LINE_SIZE];
	ssize_t n;

	while (fgets(line, sizeof(line), stdin)) {
		if (write(fd, line, strlen(line)) < 0)
			die("write");
		n = read(fd, back, sizeof(back) - 1);
		if (n < 0)
			die("read");
		if (n == 0 && strcmp(way, "careful") == 0) {
			fprintf(stderr, "the server has ended before its time\n");
			exit(1);
		}
		back[n] = '\0';
		printf("From server: %s", back);
		if (n == 0)
			printf("\n");
		if (strcmp(way, "memset") == 0)
			memset(back, 0, wrong);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: textbook_client ADDRESS PORT [careful|memset]\n");
		return 2;
	}
	way = argc > 3 ? argv[3] : "";
	talk(connect_to(argv[1], argv[2]));
	return 0;
}
