/* SPDX-License-Identifier: MIT
 * client: a role that dials, sends messages and waits for their echoes, each with a deadline: what
 * echoload asks of a backend, without its schedules and books.
 */
#include <string.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/conn.h"
#include "echo/net/worker.h"
#include "sim.h"

enum { ANSWER_MS = 500 };

struct client_conn {
	uint32_t messages; /* that are still to be sent */
	uint32_t size;
	uint64_t handed;
};

static struct {
	unsigned count;
	struct addr to;
} client;

void client_begin(unsigned count)
{
	const char *const text = "192.0.2.1:7";

	client.count = count;
	if (client.to.len == 0 && addr_parse(&client.to, text) < 0)
		sim_fail("client", "%s", text);
}

static struct flow *client_flow(const struct conn *c)
{
	return file_of(c->fd)->flow;
}

/* The next message, if there is one. */
static const char *client_next(struct conn *c)
{
	struct client_conn *k = conn_role(c);
	const char *span = flow_bytes(client_flow(c), k->handed);

	if (k->messages == 0)
		return NULL;
	k->messages--;
	k->handed += k->size;
	client_flow(c)->echoed = k->handed;
	conn_deadline(c, c->worker->now_ns + MSEC(ANSWER_MS));
	return span;
}

static void client_finish(struct conn *c)
{
	conn_deadline(c, 0);
	if (choice_chance(2))
		conn_shutdown(c, CAUSE_FINISHED);
	else
		conn_close(c, CAUSE_FINISHED);
}

static void client_opened(struct conn *c)
{
	static const uint32_t sizes[] = { 64, 1, 5000, 700, 40000 };
	struct client_conn *k = conn_role(c);
	const char *span;

	k->size = world_most(CHOICE_OF(sizes));
	k->messages = choice_below(5);
	span = client_next(c);
	if (span)
		conn_send(c, span, k->size);
	else
		client_finish(c);
}

static enum conn_action client_data(struct conn *c, const void *span, size_t len)
{
	struct client_conn *k = conn_role(c);
	const char *next;

	(void)span;
	(void)len;
	if (c->received < k->handed || !conn_span_sent(c))
		return CONN_NOTHING;
	next = client_next(c);
	if (!next) {
		client_finish(c);
		return CONN_NOTHING;
	}
	conn_send_after(c, next, k->size);
	return CONN_SEND;
}

static void client_eof(struct conn *c)
{
	const struct client_conn *k = conn_role(c);

	conn_close(c, c->received < k->handed ? CAUSE_EOF_EARLY : CAUSE_EOF);
}

static void client_drained(struct conn *c)
{
	(void)c;
}

static void client_expired(struct conn *c)
{
	if (c->state == CONN_DIALING)
		conn_close(c, CAUSE_TIMEOUT_CONNECT);
	else
		conn_abort(c, CAUSE_TIMEOUT_ANSWER);
}

static void client_closed(struct conn *c)
{
	(void)c;
}

static void client_start(struct worker *w)
{
	for (unsigned i = 0; i < client.count; i++) {
		struct conn *c = conn_dial(w, &client.to, NULL);

		if (!c || c->state != CONN_DIALING)
			continue;
		client_flow(c)->conn = c;
		conn_deadline(c, w->now_ns + MSEC(ANSWER_MS));
	}
}

static void client_stop(struct worker *w, enum worker_stop how)
{
	if (how != WORKER_DRAIN)
		conn_close_all(w, CAUSE_FINISHED, how == WORKER_RESET);
}

const struct role client_role = {
	.conn_size = sizeof(struct client_conn),
	.start = client_start,
	.stop = client_stop,
	.opened = client_opened,
	.data = client_data,
	.eof = client_eof,
	.drained = client_drained,
	.expired = client_expired,
	.closed = client_closed,
};
