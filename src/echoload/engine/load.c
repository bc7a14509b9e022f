/* SPDX-License-Identifier: MIT
 * load: the client's role. A connection sends the stream of the payload in messages, at most
 * `pipeline` of them unanswered, and counts each as echoed when the stream has come back that far.
 * What a connection still owes when it ends is told apart by how far it had come.
 */
#include "load.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/hist.h"
#include "load_conn.h"

enum { HIST_DIGITS = 3 };

uint64_t load_batches(const struct load_config *c)
{
	uint64_t n = 1;

	while (n < c->pipeline)
		n *= 2;
	return n;
}

size_t load_conn_size(const struct load_config *c)
{
	return sizeof(struct load_conn) + load_batches(c) * sizeof(struct batch);
}

/* ---- messages ---- */

/* The deadline of the oldest unanswered message. */
static void load_arm(struct conn *c)
{
	struct load_conn *lc = conn_role(c);
	int64_t timeout_ns = load_of(c)->run->config->timeout;

	if (load_owed(lc) == 0 || timeout_ns == 0)
		conn_deadline(c, 0);
	else
		conn_deadline(c, load_oldest(lc)->sent_ns + timeout_ns);
}

/* @n more messages are owed to us. */
static void load_owe(struct load *l, uint64_t n, int64_t now_ns)
{
	if (l->owed == 0)
		atomic_store_explicit(&l->watched->waiting_since_ns, now_ns, memory_order_relaxed);
	l->owed += n;
}

uint64_t load_may_begin(const struct load_conn *lc)
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
static void load_advance(struct load_conn *lc, const struct sizes *size, uint64_t n)
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

void load_begin(struct load_conn *lc, uint64_t n, int64_t due_ns, int64_t now_ns)
{
	struct load *l = lc->seat->load;
	const struct load_run *run = l->run;
	struct books *b = lc->seat->books;
	uint64_t first = lc->begun;

	assert(n > 0 && load_owed(lc) + n <= run->config->pipeline && due_ns <= now_ns);
	load_advance(lc, &run->config->size, n);
	lc->batches[lc->batch_next++ & run->batch_mask] =
		(struct batch){ due_ns, now_ns, lc->begun, lc->begun_end };
	n = lc->begun - first;
	if (!lc->seat->idle)
		l->quota -= n;
	b->all.sent += n;
	if (load_measured(lc, due_ns))
		b->measured.sent += n;
	load_owe(l, n, now_ns);
}

/* Closed loop: as many as the window, the quota and one span allow. @now_ns: 0 if not known. */
static void load_begin_all(struct load_conn *lc, int64_t now_ns)
{
	uint64_t n = load_may_begin(lc);

	if (n == 0)
		return;
	if (now_ns == 0)
		now_ns = clock_now_ns();
	if (now_ns >= lc->seat->load->run->end_ns && !lc->seat->idle)
		return; /* the timer that ends the run is late: what is measured ends in time */
	load_begin(lc, n, now_ns, now_ns);
}

/* Whether it has nothing left to do: its last answer has come, and none will be asked for. */
static bool load_is_done(const struct load_conn *lc)
{
	const struct load *l = lc->seat->load;
	uint64_t churn = l->run->config->churn;

	if (load_owed(lc) > 0)
		return false;
	if (lc->seat->idle)
		return l->stopping && lc->begun > 0;
	return load_no_more(l) || (churn > 0 && lc->begun >= churn);
}

static void load_finished(struct conn *c)
{
	if (load_of(c)->run->config->close == CLOSE_RST)
		conn_abort(c, CAUSE_FINISHED);
	else
		conn_close(c, CAUSE_FINISHED);
}

/* load_pump for those that have just looked at the clock; else @now_ns is 0. @data: what fits into
 * one span the caller will send. */
static enum conn_action load_pump_at(struct conn *c, int64_t now_ns, bool data)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	enum conn_action action = CONN_NOTHING;
	bool open_loop = load_is_open_loop(l);
	size_t len = PAYLOAD_SPAN_MAX;
	const uint8_t *span;

	/* a shorter span than the longest was the last: all that may be begun is in it */
	while (len == PAYLOAD_SPAN_MAX && c->state == CONN_OPEN && conn_span_sent(c)) {
		if (!open_loop || lc->seat->idle)
			load_begin_all(lc, now_ns);
		len = size_min(lc->begun_end - lc->handed, PAYLOAD_SPAN_MAX);
		if (len == 0)
			break;
		lc->handed += len;
		span = payload_at(&l->run->payload, lc->base, lc->handed - len);
		if (data && len < PAYLOAD_SPAN_MAX) {
			conn_send_after(c, span, len);
			action = CONN_SEND;
		} else {
			conn_send(c, span, len);
		}
	}
	if (open_loop)
		arrivals_update(lc);
	if (c->state != CONN_OPEN)
		return CONN_NOTHING;
	if (load_is_done(lc))
		load_finished(c);
	else
		load_arm(c);
	return action;
}

void load_pump(struct conn *c)
{
	(void)load_pump_at(c, 0, false);
}

/* @n answers came at @now_ns to messages of this batch. */
static void load_time(struct load_conn *lc, const struct batch *of, uint64_t n, int64_t now_ns,
		      bool outage)
{
	struct load *l = lc->seat->load;
	struct books *b = lc->seat->books;

	if (!load_measured(lc, of->due_ns)) {
		if (!lc->seat->idle)
			hist_record_many(l->tally->other, now_ns - of->due_ns, n);
		return;
	}
	hist_record_many(outage ? l->tally->inside : l->tally->outside, now_ns - of->due_ns, n);
	if (load_is_open_loop(l))
		hist_record_many(l->uncorrected, now_ns - of->sent_ns, n);
	b->measured.echoed += n;
	if (outage)
		b->echoed_in_outage += n;
}

/* How many messages of the oldest batch are answered when the stream has come back up to @upto. */
static uint64_t load_answered_of(struct load_conn *lc, const struct batch *oldest, uint64_t upto)
{
	uint64_t before = lc->answered, size;

	if (oldest->end <= upto) {
		lc->answered = oldest->begun;
		lc->answered_end = oldest->end;
		lc->batch_first++;
		return lc->answered - before;
	}
	while (size = load_size(lc, lc->answered), lc->answered_end + size <= upto)
		load_settle(lc, size);
	return lc->answered - before;
}

/* The stream has come back right up to @upto: messages that end there or before are echoed.
 * Returns when, 0 if there are none. */
static int64_t load_answered(struct conn *c, uint64_t upto)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	bool outage = outage_open(&l->run->outages) != 0;
	const struct batch *last = NULL;
	int64_t now_ns = 0;
	uint64_t all = 0, n;

	while (load_owed(lc) > 0) {
		const struct batch *oldest = load_oldest(lc);

		n = load_answered_of(lc, oldest, upto);
		if (n == 0)
			break;
		last = oldest;
		if (now_ns == 0)
			now_ns = clock_now_ns();
		load_time(lc, last, n, now_ns, outage);
		all += n;
	}
	if (all == 0) {
		atomic_store_explicit(&l->watched->last_progress_ns, c->worker->now_ns,
				      memory_order_relaxed);
		return 0;
	}
	lc->seat->books->all.echoed += all;
	stats_add(&l->progress_echoed, all);
	atomic_store_explicit(&l->watched->last_echo_ns, now_ns, memory_order_relaxed);
	load_unowe(l, all, now_ns);
	lc->seat->failures = 0;
	if (outage && !lc->seat->idle)
		outage_echo(&l->run->outages, &lc->seat->outage, last->sent_ns, now_ns);
	return now_ns;
}

/* The byte at stream offset @at is not what it should be, or should not be at all. */
static void load_corrupt(struct conn *c, uint64_t at, uint8_t seen)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	const struct corruption first = {
		.found = true,
		.connection = lc->number,
		.offset = at,
		.expected = *payload_at(&l->run->payload, lc->base, at),
		.seen = seen,
		.surplus = at >= lc->handed,
	};

	lc->corrupt = !first.surplus;
	if (!lc->seat->books->corruption.found)
		lc->seat->books->corruption = first;
	conn_abort(c, CAUSE_CORRUPT);
}

static enum conn_action load_data(struct conn *c, const void *span, size_t len)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	uint64_t from = c->received - len;
	size_t due = size_min(len, lc->handed - from);
	size_t right = due;
	int64_t now_ns;

	assert(from <= lc->handed);
	if (l->run->config->verify)
		right = payload_verify(&l->run->payload, lc->base, from, span, due);
	now_ns = load_answered(c, from + right);
	if (right < len) {
		lc->surplus = len - due;
		load_corrupt(c, from + right, ((const uint8_t *)span)[right]);
		return CONN_NOTHING;
	}
	/* What has come due while others were received does not wait for the last of them. Before
	 * this connection is ready: its end may be the next that is received. */
	if (load_is_open_loop(l) && now_ns >= pace_due_ns(&l->pace) && !load_is_quiet(l))
		arrivals_run(l);
	return load_pump_at(c, now_ns, true);
}

/* ---- connections ---- */

static void load_opened(struct conn *c)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	struct books *b = lc->seat->books;
	uint32_t open = atomic_load_explicit(c->worker->conns, memory_order_relaxed);

	assert(l->dialing > 0);
	l->dialing--;
	seat_reached(lc->seat);
	b->established++;
	b->reached += !lc->seat->reached;
	lc->seat->reached = true;
	hist_record(l->connect, clock_now_ns() - lc->dialed_ns);
	if (open > b->peak)
		b->peak = open;
	load_pump(c);
	seat_dial(l);
}

/* What it was given has gone; mostly there is nothing to do before the answer. */
static void load_drained(struct conn *c)
{
	const struct load_conn *lc = conn_role(c);

	if (load_owed(lc) < load_of(c)->run->config->pipeline || lc->handed < lc->begun_end)
		load_pump(c);
}

static void load_eof(struct conn *c)
{
	conn_close(c, cause_from_errno(ending_phase(c), 0));
}

static void load_expired(struct conn *c)
{
	if (c->state == CONN_DIALING)
		conn_close(c, CAUSE_TIMEOUT_CONNECT);
	else
		conn_abort(c, CAUSE_TIMEOUT_ANSWER); /* the RST tells a peer that is alive */
}

static void load_closed(struct conn *c)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);

	if (!c->opened) {
		assert(l->dialing > 0);
		l->dialing--;
	}
	list_remove(&lc->ready);
	if (!seat_tries_on(lc->seat, c)) {
		ending_book(c);
		seat_again(lc->seat, c);
	}
	seat_dial(l);
}

/* ---- the worker's run ---- */

static void load_dial_timer(struct timer *t, int64_t now_ns)
{
	(void)now_ns;
	seat_dial(container_of(t, struct load, dial));
}

static void load_end(struct timer *t, int64_t now_ns)
{
	(void)now_ns;
	worker_stop(container_of(t, struct load, end)->worker, WORKER_DRAIN);
}

static void load_start(struct worker *w)
{
	struct load *l = w->role_state;
	struct load_run *run = l->run;

	l->end.fire = load_end;
	l->dial.fire = load_dial_timer;
	if (run->end_ns < INT64_MAX)
		timer_set(&w->timers, &l->end, run->end_ns);
	stall_start(l);
	interval_start(l);
	if (load_is_open_loop(l))
		arrivals_start(l);
	if (run->gate.used)
		gate_start(l);
	for (uint32_t i = 0; i < l->seat_count; i++)
		seat_wait(&l->seats[i]);
	seat_dial(l);
}

/* Nothing more is asked of it; one that is held idle must show that it still works. */
static void load_finish(struct conn *c, void *arg)
{
	(void)arg;
	if (c->state == CONN_OPEN)
		load_pump(c);
}

/* Sending ends; seats that hold no connection have nothing to wait for. */
static void load_stop_sending(struct load *l)
{
	if (load_is_open_loop(l)) {
		if (l->gate.shut)
			arrivals_resume(l, l->gate.shut_ns);
		arrivals_stop(l);
	}
	l->stopping = true;
	timer_cancel(&l->worker->timers, &l->end);
	stall_stop(l);
	timer_cancel(&l->worker->timers, &l->gate.timer);
	seat_stop_all(l);
}

static void load_turned(struct worker *w)
{
	struct load *l = w->role_state;

	if (l->run->gate.used && !l->stopping)
		gate_turned(l);
	if (load_is_open_loop(l) && !load_is_quiet(l))
		arrivals_run(l);
}

static void load_stop(struct worker *w, enum worker_stop how)
{
	struct load *l = w->role_state;

	if (!l->stopping)
		load_stop_sending(l);
	/* a larger way of stopping than our own drain and its deadline: somebody interrupts us */
	l->interrupted |= w->stopping > WORKER_DRAIN;
	if (how == WORKER_DRAIN)
		conn_each(w, load_finish, NULL);
	else
		conn_close_all(w, CAUSE_FINISHED, false);
}

int load_init(struct load *l, struct load_run *run, uint32_t seats)
{
	l->run = run;
	l->seat_count = seats;
	l->quota = UINT64_MAX;
	l->waiting_tail = &l->waiting;
	list_init(&l->ready);
	l->seats = calloc(seats, sizeof(*l->seats));
	l->tally = &l->handoff.tallies[0];
	l->uncorrected = hist_new(HIST_DIGITS);
	l->lateness = hist_new(HIST_DIGITS);
	l->connect = hist_new(HIST_DIGITS);
	if (!l->seats || !l->uncorrected || !l->lateness || !l->connect ||
	    interval_tally_init(&l->handoff) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < seats; i++)
		seat_init(&l->seats[i], l, (uint32_t)(l->next_number + i * l->number_step));
	return 0;
}

void load_fini(struct load *l)
{
	free(l->seats);
	interval_tally_fini(&l->handoff);
	hist_free(l->uncorrected);
	hist_free(l->lateness);
	hist_free(l->connect);
	*l = (struct load){ 0 };
}

const struct role load_role = {
	.start = load_start,
	.stop = load_stop,
	.turned = load_turned,
	.opened = load_opened,
	.data = load_data,
	.eof = load_eof,
	.drained = load_drained,
	.expired = load_expired,
	.closed = load_closed,
};
