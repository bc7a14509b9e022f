/* SPDX-License-Identifier: MIT
 * sending: begins messages, as far as the window, the quota and the longest span allow, and hands
 * them to the backend.
 */
#include <assert.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "load_conn.h"

/* The deadline of the oldest unanswered message. */
static void arm(struct conn *c)
{
	struct load_conn *lc = conn_role(c);
	int64_t timeout_ns = load_of(c)->run->config->timeout;

	if (load_owed(lc) == 0 || timeout_ns == 0)
		conn_deadline(c, 0);
	else
		conn_deadline(c, load_oldest(lc)->sent_ns + timeout_ns);
}

/* @n more messages are owed to us. */
static void owe(struct load *l, uint64_t n, int64_t now_ns)
{
	if (l->owed == 0)
		atomic_store_explicit(&l->watched->waiting_since_ns, now_ns, memory_order_relaxed);
	l->owed += n;
}

/* How many more messages may be begun on it now. */
static uint64_t may_begin(const struct load_conn *lc)
{
	const struct load *l = lc->seat->load;
	const struct load_config *config = l->run->config;
	uint64_t n = config->pipeline - load_owed(lc);

	if (lc->seat->idle)
		return l->stopping && !l->interrupted && lc->begun == 0;
	if (load_is_quiet(l) || lc->begun_end - lc->handed >= PAYLOAD_SPAN_MAX)
		return 0;
	if (config->churn > 0 && config->churn - lc->begun < n)
		n = config->churn - lc->begun;
	return n < l->quota ? n : l->quota;
}

/* The next @n messages, or as many as one span takes. */
static void advance(struct load_conn *lc, const struct sizes *size, uint64_t n)
{
	uint64_t end = lc->begun + n;

	if (size->min == size->max &&
	    lc->begun_end + n * size->min - lc->handed <= PAYLOAD_SPAN_MAX) {
		lc->begun_end += n * size->min;
		lc->begun = end;
		return;
	}
	while (lc->begun < end && lc->begun_end - lc->handed < PAYLOAD_SPAN_MAX)
		lc->begun_end += load_size(lc, lc->begun++);
}

void sending_begin(struct load_conn *lc, uint64_t n, int64_t due_ns, int64_t now_ns)
{
	struct load *l = lc->seat->load;
	const struct load_run *run = l->run;
	struct books *b = lc->seat->books;
	uint64_t first = lc->begun;

	assert(n > 0 && load_owed(lc) + n <= run->config->pipeline && due_ns <= now_ns);
	advance(lc, &run->config->size, n);
	lc->batches[lc->batch_next++ & run->batch_mask] =
		(struct batch){ due_ns, now_ns, lc->begun, lc->begun_end };
	n = lc->begun - first;
	if (!lc->seat->idle)
		l->quota -= n;
	b->all.sent += n;
	if (load_measured(lc, due_ns))
		b->measured.sent += n;
	owe(l, n, now_ns);
}

/* Closed loop: as many as the window, the quota and one span allow. @now_ns: 0 if not known. */
static void begin_all(struct load_conn *lc, int64_t now_ns)
{
	uint64_t n = may_begin(lc);

	if (n == 0)
		return;
	if (now_ns == 0)
		now_ns = clock_now_ns();
	if (now_ns >= lc->seat->load->run->end_ns && !lc->seat->idle)
		return; /* the timer that ends the run is late: what is measured ends in time */
	sending_begin(lc, n, now_ns, now_ns);
}

/* Whether it has nothing left to do: its last answer has come, and none will be asked for. */
static bool is_done(const struct load_conn *lc)
{
	const struct load *l = lc->seat->load;
	uint64_t churn = l->run->config->churn;

	if (load_owed(lc) > 0)
		return false;
	if (lc->seat->idle)
		return l->stopping && lc->begun > 0;
	return load_no_more(l) || (churn > 0 && lc->begun >= churn);
}

static void finished(struct conn *c)
{
	if (load_of(c)->run->config->close == CLOSE_RST)
		conn_abort(c, CAUSE_FINISHED);
	else
		conn_close(c, CAUSE_FINISHED);
}

/* Begins what the window, the quota and one span allow. @now_ns: 0 if not known. Returns the length
 * of the span to send, 0: there is none. A shorter one than PAYLOAD_SPAN_MAX is the last: all that
 * may be begun is in it. */
static size_t next_span(struct load_conn *lc, int64_t now_ns, const uint8_t **span)
{
	const struct load *l = lc->seat->load;
	size_t len;

	if (!load_is_open_loop(l) || lc->seat->idle)
		begin_all(lc, now_ns);
	len = size_min(lc->begun_end - lc->handed, PAYLOAD_SPAN_MAX);
	*span = payload_at(&l->run->payload, lc->base, lc->handed);
	lc->handed += len;
	return len;
}

static bool can_send(const struct conn *c)
{
	return c->state == CONN_OPEN && conn_span_sent(c);
}

static void send_all(struct conn *c, int64_t now_ns)
{
	size_t len = PAYLOAD_SPAN_MAX;

	while (len == PAYLOAD_SPAN_MAX && can_send(c)) {
		const uint8_t *span;

		len = next_span(conn_role(c), now_ns, &span);
		if (len > 0)
			conn_send(c, span, len);
	}
}

/* Open loop: whether this connection could send has changed. One that has more to be received may
 * have ended: a kernel may tell of that after what others received (seen on 6.1). */
static void update_ready(struct load_conn *lc)
{
	struct load *l = lc->seat->load;
	const struct conn *c = lc->conn;
	bool could = list_linked(&lc->ready);
	bool can = c->state == CONN_OPEN && !c->more && conn_span_sent(c) && !lc->seat->idle &&
		   may_begin(lc) > 0;

	if (can == could)
		return;
	if (!can) {
		list_remove(&lc->ready);
		return;
	}
	if (list_empty(&l->ready))
		l->room_since_ns = clock_now_ns();
	list_append(&l->ready, &lc->ready);
}

/* All that may be sent has been: a connection with nothing left to do ends, another waits. */
static void pumped(struct conn *c)
{
	struct load_conn *lc = conn_role(c);

	if (load_is_open_loop(load_of(c)))
		update_ready(lc);
	if (c->state != CONN_OPEN)
		return;
	if (is_done(lc))
		finished(c);
	else
		arm(c);
}

void sending_pump(struct conn *c)
{
	send_all(c, 0);
	pumped(c);
}

enum conn_action sending_pump_data(struct conn *c, int64_t now_ns)
{
	const uint8_t *span;
	size_t len = 0;

	if (can_send(c))
		len = next_span(conn_role(c), now_ns, &span);
	if (len == PAYLOAD_SPAN_MAX) {
		conn_send(c, span, len);
		send_all(c, now_ns);
	} else if (len > 0) {
		conn_send_after(c, span, len);
	}
	pumped(c);
	return len > 0 && len < PAYLOAD_SPAN_MAX && c->state == CONN_OPEN ? CONN_SEND
									  : CONN_NOTHING;
}
