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
	if (lc->seat->latency)
		hist_record_many(lc->seat->latency, now_ns - of->due_ns, n);
	if (load_is_open_loop(l))
		hist_record_many(l->uncorrected, now_ns - of->sent_ns, n);
	b->measured.echoed += n;
	if (outage)
		b->echoed_in_outage += n;
}

/* Whether the oldest message is answered when the stream has come back up to @upto. */
static bool load_has_answer(const struct load_conn *lc, uint64_t upto)
{
	return load_owed(lc) > 0 && lc->answered_end + load_size(lc, lc->answered) <= upto;
}

/* Takes the answers to the oldest batch that have come back up to @upto. Returns their number. */
static uint64_t load_take_answers(struct load_conn *lc, const struct batch *oldest, uint64_t upto)
{
	uint64_t before = lc->answered;

	if (oldest->end <= upto) {
		lc->answered = oldest->begun;
		lc->answered_end = oldest->end;
		lc->batch_first++;
	} else {
		while (load_has_answer(lc, upto))
			load_settle(lc, load_size(lc, lc->answered));
	}
	return lc->answered - before;
}

/* The stream has come back right up to @upto: messages that end there or before are echoed.
 * Returns when, 0 if there are none. */
static int64_t load_answered(struct conn *c, uint64_t upto)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	bool outage = outage_open(&l->run->outages) != 0;
	const struct batch *last;
	int64_t now_ns;
	uint64_t all = 0;

	if (!load_has_answer(lc, upto)) {
		atomic_store_explicit(&l->watched->last_progress_ns, c->worker->now_ns,
				      memory_order_relaxed);
		return 0;
	}
	now_ns = clock_now_ns();
	do {
		uint64_t n;

		last = load_oldest(lc);
		n = load_take_answers(lc, last, upto);
		load_time(lc, last, n, now_ns, outage);
		all += n;
	} while (load_has_answer(lc, upto));
	lc->seat->books->all.echoed += all;
	lc->seat->books->last_echo_ns = now_ns - l->run->start_ns;
	stats_add(&l->progress_echoed, all);
	atomic_store_explicit(&l->watched->last_echo_ns, now_ns, memory_order_relaxed);
	load_unowe(l, all, now_ns);
	lc->seat->failures = 0;
	if ((outage || lc->seat->outage.down) && !lc->seat->idle)
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
	return sending_pump_data(c, now_ns);
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
	sending_pump(c);
	seat_dial(l);
}

/* What it was given has gone; mostly there is nothing to do before the answer. */
static void load_drained(struct conn *c)
{
	const struct load_conn *lc = conn_role(c);

	if (load_owed(lc) < load_of(c)->run->config->pipeline || lc->handed < lc->begun_end)
		sending_pump(c);
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
	if (!seat_waits_for_queue(lc->seat, c) && !seat_tries_on(lc->seat, c)) {
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
		sending_pump(c);
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
	/* a harder stop than our own drain and its deadline: an interruption */
	l->interrupted |= w->stopping > WORKER_DRAIN;
	if (how == WORKER_DRAIN)
		conn_each(w, load_finish, NULL);
	else
		conn_close_all(w, CAUSE_FINISHED, false);
}

/* Latency of each of several targets that this worker has connections for; of one it is that of
 * all. */
static int load_init_targets(struct load *l)
{
	const unsigned count = l->run->target_count;

	l->latency = calloc(count, sizeof(struct hist *));
	for (uint32_t i = 0; l->latency && count > 1 && i < l->seat_count && i < count; i++) {
		const uint64_t number = l->next_number + i * l->number_step;
		struct hist **h = &l->latency[part_place(l->run->whole, number) % count];

		if (!*h)
			*h = hist_new(TARGET_DIGITS);
		if (!*h)
			return -ENOMEM;
	}
	return l->latency ? 0 : -ENOMEM;
}

int load_init(struct load *l, struct load_run *run, uint32_t seats)
{
	l->run = run;
	l->seat_count = seats;
	l->quota = UINT64_MAX;
	l->waiting_tail = &l->waiting;
	list_init(&l->ready);
	l->seats = calloc(seats, sizeof(*l->seats));
	l->books = calloc(run->target_count, sizeof(*l->books));
	l->tally = &l->handoff.tallies[0];
	l->uncorrected = hist_new(HIST_DIGITS);
	l->lateness = hist_new(HIST_DIGITS);
	l->connect = hist_new(HIST_DIGITS);
	l->turns = (struct pace_turns){ l->next_number, l->number_step, run->whole->connections };
	if (load_is_open_loop(l) && run->config->arrivals == ARRIVALS_POISSON)
		l->pace_heap = calloc(pace_connections(&l->turns), sizeof(*l->pace_heap));
	else
		l->pace_heap = NULL;
	if (!l->seats || !l->books || !l->uncorrected || !l->lateness || !l->connect ||
	    interval_tally_init(&l->handoff) < 0)
		return -ENOMEM;
	if (load_init_targets(l) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < seats; i++)
		seat_init(&l->seats[i], l, l->next_number + i * l->number_step);
	return 0;
}

void load_fini(struct load *l)
{
	free(l->seats);
	free(l->books);
	for (unsigned i = 0; l->latency && i < l->run->target_count; i++)
		hist_free(l->latency[i]);
	free(l->latency);
	free(l->pace_heap);
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
