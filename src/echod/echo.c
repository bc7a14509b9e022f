/* SPDX-License-Identifier: MIT
 * echo: the server's role: what comes in goes out again, in the buffer that it came in. Whoever
 * shuts its side still gets all that it is owed, then our FIN.
 */
#include "echo.h"

#include <stddef.h>

#include "echo/net/conn.h"
#include "echo/net/worker.h"

/* Of one connection: how far it had come when its deadline was last set. */
struct echo_conn {
	uint64_t moved;
};

static int64_t echo_idle_ns(const struct conn *c)
{
	const struct echo_config *config = c->worker->role_state;

	return config->idle_timeout_ns;
}

static void echo_touch(struct conn *c)
{
	struct echo_conn *e = conn_role(c);

	if (echo_idle_ns(c) == 0)
		return;
	e->moved = c->sent;
	conn_deadline(c, c->worker->now_ns + echo_idle_ns(c));
}

static enum conn_next echo_data(struct conn *c, const void *span, size_t len)
{
	(void)span;
	(void)len;
	echo_touch(c);
	return CONN_ECHO;
}

static void echo_eof(struct conn *c)
{
	conn_shutdown(c, FAIL_EOF);
}

/* Silent in both directions: a peer that still takes what it is owed may go on. */
static void echo_expired(struct conn *c)
{
	const struct echo_conn *e = conn_role(c);

	if (conn_unsent(c) == 0)
		conn_close(c, FAIL_IDLE_TIMEOUT);
	else if (c->sent == e->moved)
		conn_abort(c, FAIL_STALLED);
	else
		echo_touch(c);
}

static void echo_closed(struct conn *c)
{
	(void)c; /* the worker counts */
}

static void echo_start(struct worker *w)
{
	(void)w; /* the listeners do the rest */
}

static void echo_shut(struct conn *c, void *arg)
{
	(void)arg;
	conn_shutdown(c, FAIL_SHUTDOWN);
}

static void echo_stop(struct worker *w, enum worker_stop how)
{
	if (how == WORKER_DRAIN)
		conn_each(w, echo_shut, NULL);
	else
		conn_close_all(w, FAIL_SHUTDOWN, how == WORKER_RESET);
}

const struct role echo_role = {
	.conn_size = sizeof(struct echo_conn),
	.echoes = true,
	.start = echo_start,
	.stop = echo_stop,
	.opened = echo_touch,
	.data = echo_data,
	.eof = echo_eof,
	.drained = echo_touch,
	.expired = echo_expired,
	.closed = echo_closed,
};
