/* SPDX-License-Identifier: MIT
 * pass: from the receive queue of a socket to its own send queue, with nothing kept between them.
 */
#include "pass.h"

#include <assert.h>
#include <errno.h>
#include <sys/socket.h>

#include "echo/base/base.h"
#include "echo/net/conn.h"
#include "echo/net/worker.h"

static ssize_t pass_receive(int fd, void *buf, size_t len, int flags)
{
	ssize_t n;

	do
		n = recv(fd, buf, len, flags | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t pass_send(int fd, const void *buf, size_t len)
{
	ssize_t n;

	do
		n = send(fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? PASS_FULL : -errno;
	return n;
}

/* Receives what was looked at and has been sent: it is there. With MSG_TRUNC nothing is written to
 * @buf. */
static ssize_t pass_drop(int fd, void *buf, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t n = pass_receive(fd, buf, len - at, MSG_TRUNC);

		if (n <= 0)
			return n < 0 ? n : -ECONNRESET;
		at += (size_t)n;
	}
	return 0;
}

/* Sends what was looked at, and receives as much of it as the socket took. */
static ssize_t pass_back(struct conn *c, void *buf, size_t len)
{
	ssize_t r, n = pass_send(c->fd, buf, len);

	if (n < 0)
		return n;
	c->sent += (size_t)n;
	stats_add(&c->worker->stats.bytes_out, (uint64_t)n);
	r = pass_drop(c->fd, buf, (size_t)n);
	return r < 0 ? r : n;
}

ssize_t pass_step(struct conn *c, void *buf, size_t len)
{
	struct worker *w = c->worker;
	ssize_t n, there;

	assert(c->state == CONN_OPEN && conn_unsent(c) == 0 && w->role->echoes);
	there = n = pass_receive(c->fd, buf, len, c->fin ? 0 : MSG_PEEK);
	if (n > 0 && !c->fin)
		n = pass_back(c, buf, (size_t)n);
	if (n > 0)
		(void)conn_data(c, buf, (size_t)n); /* what it answers has been done */
	if (n != PASS_FULL && (n <= 0 || n == there))
		return n;
	worker_starved(w);
	return PASS_FULL;
}
