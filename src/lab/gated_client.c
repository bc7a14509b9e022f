/* SPDX-License-Identifier: MIT
 * gated_client: our side of a client's gate.
 */
#include "echo/lab/gated_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"

enum { SIGNAL_POLL_MS = 100 }; /* how often we look for signals */

int gated_client_start(struct gated_client *g, const char *command, const cpu_set_t *cpus)
{
	int ends[2], r = -ENOMEM;
	char number[12], *filled;

	*g = (struct gated_client){ .gate = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	snprintf(number, sizeof(number), "%d", ends[1]);
	filled = child_replace(command, "{gate}", number);
	if (filled)
		r = child_start_with(&g->child, filled, cpus, ends[1]);
	free(filled);
	close(ends[1]);
	if (r < 0)
		close(ends[0]);
	else
		g->gate = ends[0];
	return r;
}

/* Waits for something to read. */
static int gated_client_wait(const struct gated_client *g, int64_t end_ns)
{
	struct pollfd p = { g->gate, POLLIN, 0 };

	while (poll(&p, 1, SIGNAL_POLL_MS) <= 0) {
		if (child_stop_signal() != 0)
			return -EINTR;
		if (clock_now_ns() >= end_ns)
			return -ETIME;
	}
	return 0;
}

/* Reads a line: "MESSAGES NANOSECONDS". */
static int gated_client_answer(const struct gated_client *g, int64_t patience_ns,
			       struct gated_client_slice *out)
{
	const int64_t end_ns = clock_now_ns() + patience_ns;
	char line[GATED_CLIENT_LINE_MAX];
	size_t length = 0;
	unsigned long long messages;
	long long took_ns;
	char rest;

	do {
		ssize_t n;
		int r = gated_client_wait(g, end_ns);

		if (r < 0)
			return r;
		n = read(g->gate, &line[length], sizeof(line) - 1 - length);
		if (n <= 0)
			return -EPIPE;
		length += (size_t)n;
	} while (line[length - 1] != '\n' && length < sizeof(line) - 1);
	line[length] = '\0';
	if (sscanf(line, "%llu %lld%c", &messages, &took_ns, &rest) != 3 || rest != '\n')
		return -EPROTO;
	*out = (struct gated_client_slice){ messages, took_ns };
	return 0;
}

int gated_client_ready(struct gated_client *g, int64_t patience_ns)
{
	struct gated_client_slice none;

	return gated_client_answer(g, patience_ns, &none);
}

int gated_client_slice(struct gated_client *g, int64_t ns, int64_t patience_ns,
		       struct gated_client_slice *out)
{
	char line[GATED_CLIENT_LINE_MAX];
	int n = snprintf(line, sizeof(line), "%lld\n", (long long)ns);

	if (child_stop_signal() != 0)
		return -EINTR;
	if (send(g->gate, line, (size_t)n, MSG_NOSIGNAL) != n)
		return -EPIPE;
	return gated_client_answer(g, ns + patience_ns, out);
}

static void gated_client_shut(struct gated_client *g)
{
	if (g->gate >= 0)
		close(g->gate);
	g->gate = -1;
}

int gated_client_end(struct gated_client *g, int64_t patience_ns)
{
	gated_client_shut(g);
	return g->child.pid > 0 ? child_wait(&g->child, patience_ns) : 0;
}

void gated_client_stop(struct gated_client *g)
{
	if (!g->child.started)
		return;
	gated_client_shut(g);
	child_stop(&g->child, SEC(1));
}
