/* SPDX-License-Identifier: MIT
 * fuzz_metrics: any bytes of a scraper, in two pieces, to the server of metrics: it answers or
 * hangs up, and serves the next one; and ends, with nobody left to be waited for.
 *
 * reads: src/net/metrics_http.c src/net/metrics_text.c
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "echo/net/metrics_server.h"
#include "lib/fuzz.h"
#include "net/metrics_private.h"

enum { PIECE_MAX = 32 * 1024, ROUNDS = 8, STEPS_MAX = 1000 };

static struct sockaddr_un at = { .sun_family = AF_UNIX };
static socklen_t at_len;

static void print(FILE *to, void *arg)
{
	(void)arg;
	fputs("# TYPE up gauge\nup 1\n", to);
}

static struct metrics_server server = { .print = print };

static void begin(void)
{
	/* an abstract name of its own, as the kernel chooses it */
	at_len = sizeof(at);
	memset(at.sun_path, 0, sizeof(at.sun_path));
	server.listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	FUZZ_CHECK(bind(server.listen_fd, (void *)&at, sizeof(at.sun_family)) == 0);
	FUZZ_CHECK(getsockname(server.listen_fd, (void *)&at, &at_len) == 0);
	FUZZ_CHECK(listen(server.listen_fd, METRICS_SERVER_PEERS) == 0);
	FUZZ_CHECK(metrics_http_begin(&server) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	begin();
	return 0;
}

static int dial(void)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	FUZZ_CHECK(fd >= 0 && connect(fd, (void *)&at, at_len) == 0);
	return fd;
}

static void turn(void)
{
	for (int i = 0; i < ROUNDS; i++)
		metrics_http_run(&server);
}

static void say(int fd, const uint8_t *data, size_t len)
{
	(void)!send(fd, data, len < PIECE_MAX ? len : PIECE_MAX, MSG_NOSIGNAL | MSG_DONTWAIT);
	turn();
}

/* A good request is answered, whatever came before it. */
static void check_served(void)
{
	static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
	struct pollfd p = { dial(), POLLIN, 0 };
	char answer[16] = "";

	say(p.fd, (const uint8_t *)request, sizeof(request) - 1);
	for (int i = 0; i < STEPS_MAX && poll(&p, 1, 0) == 0; i++)
		turn();
	FUZZ_CHECK(recv(p.fd, answer, 12, MSG_DONTWAIT) == 12);
	FUZZ_CHECK(strcmp(answer, "HTTP/1.0 200") == 0 || strcmp(answer, "HTTP/1.1 200") == 0);
	close(p.fd);
	turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint64_t inputs;
	const size_t first = len > 0 ? data[0] % (len + 1) : 0;
	char answer[4096];
	const int fd = dial();

	say(fd, data, first);
	say(fd, data + first, len - first);
	(void)metrics_http_wait_ms(&server);
	(void)!recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	if (len % 2)
		(void)shutdown(fd, SHUT_WR);
	turn();
	close(fd);
	turn();
	if (inputs++ % 64 == 0) {
		check_served();
		metrics_http_end(&server);
		begin();
	}
	return 0;
}
