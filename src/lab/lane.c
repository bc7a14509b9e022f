/* SPDX-License-Identifier: MIT
 * lane: our side of a client's gate.
 */
#include "echo/lab/lane.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"

enum { LOOK_MS = 100 }; /* how often we look for signals */

int lane_start(struct lane *l, const char *command, const cpu_set_t *cpus)
{
	int ends[2], r = -ENOMEM;
	char number[12], *filled;

	*l = (struct lane){ .gate = -1 };
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	snprintf(number, sizeof(number), "%d", ends[1]);
	filled = child_replace(command, "{gate}", number);
	if (filled)
		r = child_start_with(&l->client, filled, cpus, ends[1]);
	free(filled);
	close(ends[1]);
	if (r < 0)
		close(ends[0]);
	else
		l->gate = ends[0];
	return r;
}

/* Waits for something to read. */
static int lane_wait(const struct lane *l, int64_t end_ns)
{
	struct pollfd p = { l->gate, POLLIN, 0 };

	while (poll(&p, 1, LOOK_MS) <= 0) {
		if (child_stop_signal() != 0)
			return -EINTR;
		if (clock_now_ns() >= end_ns)
			return -ETIME;
	}
	return 0;
}

/* Reads a line: "MESSAGES NANOSECONDS". */
static int lane_answer(const struct lane *l, int64_t patience_ns, struct lane_slice *out)
{
	const int64_t end_ns = clock_now_ns() + patience_ns;
	char line[LANE_LINE_MAX];
	size_t length = 0;
	unsigned long long messages;
	long long took_ns;
	char rest;

	do {
		ssize_t n;
		int r = lane_wait(l, end_ns);

		if (r < 0)
			return r;
		n = read(l->gate, &line[length], sizeof(line) - 1 - length);
		if (n <= 0)
			return -EPIPE;
		length += (size_t)n;
	} while (line[length - 1] != '\n' && length < sizeof(line) - 1);
	line[length] = '\0';
	if (sscanf(line, "%llu %lld%c", &messages, &took_ns, &rest) != 3 || rest != '\n')
		return -EPROTO;
	*out = (struct lane_slice){ messages, took_ns };
	return 0;
}

int lane_ready(struct lane *l, int64_t patience_ns)
{
	struct lane_slice none;

	return lane_answer(l, patience_ns, &none);
}

int lane_slice(struct lane *l, int64_t ns, int64_t patience_ns, struct lane_slice *out)
{
	char line[LANE_LINE_MAX];
	int n = snprintf(line, sizeof(line), "%lld\n", (long long)ns);

	if (child_stop_signal() != 0)
		return -EINTR;
	if (send(l->gate, line, (size_t)n, MSG_NOSIGNAL) != n)
		return -EPIPE;
	return lane_answer(l, ns + patience_ns, out);
}

static void lane_shut(struct lane *l)
{
	if (l->gate >= 0)
		close(l->gate);
	l->gate = -1;
}

int lane_end(struct lane *l, int64_t patience_ns)
{
	lane_shut(l);
	return l->client.pid > 0 ? child_wait(&l->client, patience_ns) : 0;
}

void lane_stop(struct lane *l)
{
	if (!l->client.started)
		return;
	lane_shut(l);
	child_stop(&l->client, SEC(1));
}
