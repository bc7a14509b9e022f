/* SPDX-License-Identifier: MIT
 * load: the client's role. A connection sends the stream of the payload in messages, at most
 * `pipeline` of them unanswered, and counts each as echoed when the stream has come back that far.
 * What a connection still owes when it ends is told apart by how far it had come.
 */
#include "load.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base.h"
#include "echo/clock.h"
#include "echo/hist.h"
#include "echo/rng.h"
#include "echo/worker.h"
#include "opts.h"

enum {
	DIALS_MAX =
		128, /* of one worker at a time: a storm of them would time out in our own queue */
	REDIAL_NS = 1000 * 1000, /* `immediate`, after an attempt that failed: no busy loop */
	HIST_DIGITS = 3,
};

/* What the role keeps of a connection. Offsets count bytes of its stream. */
struct load_conn {
	struct seat *seat;
	uint64_t number;          /* of all attempts of the run */
	uint64_t begun, answered; /* messages */
	uint64_t begun_end;       /* where the last begun message ends */
	uint64_t answered_end;    /* where the oldest unanswered message begins */
	uint64_t fed;             /* handed to the backend */
	uint64_t surplus;         /* bytes that nobody was owed */
	uint32_t base;            /* of its stream in the payload */
	bool corrupt;             /* the oldest unanswered message came back wrong */
	int64_t sent_ns[];        /* when each unanswered message was handed over, by number */
};

static struct load *load_of(const struct conn *c)
{
	return c->worker->role_state;
}

size_t load_conn_size(const struct load_config *c)
{
	return sizeof(struct load_conn) + c->pipeline * sizeof(int64_t);
}

/* The size of message @n of a connection: constant, or a hash of where it is. */
static uint64_t load_size(const struct load_conn *lc, uint64_t n)
{
	const struct load_config *config = lc->seat->load->run->config;
	const struct size_range *s = &config->size;

	if (s->min == s->max)
		return s->min;
	return s->min + rng_mix(config->seed ^ (lc->number << 32) ^ n) % (s->max - s->min + 1);
}

static int64_t *load_stamp(struct load_conn *lc, uint64_t n)
{
	return &lc->sent_ns[n % lc->seat->load->run->config->pipeline];
}

static uint64_t load_owed(const struct load_conn *lc)
{
	return lc->begun - lc->answered;
}

/* Whether a message that was handed over at @sent_ns counts for the measured part. */
static bool load_measured(const struct load *l, int64_t sent_ns)
{
	return sent_ns >= l->run->measure_ns;
}

static enum phase load_phase(const struct conn *c)
{
	const struct load_conn *lc = conn_role(c);

	if (!c->opened && c->state != CONN_OPEN)
		return PHASE_CONNECTING;
	if (c->why == FAIL_FINISHED)
		return PHASE_CLOSING;
	if (load_owed(lc) == 0)
		return PHASE_IDLE;
	return lc->begun_end > c->sent ? PHASE_SENDING : PHASE_AWAITING;
}

/* ---- seats ---- */

static bool load_no_more(const struct load *l)
{
	return l->stopping || l->quota == 0;
}

static void load_dial(struct load *l);

static void seat_wait(struct seat *s)
{
	struct load *l = s->load;

	s->next = NULL;
	*l->waiting_tail = s;
	l->waiting_tail = &s->next;
}

static void seat_retry(struct timer *t, int64_t now_ns)
{
	struct seat *s = container_of(t, struct seat, retry);

	(void)now_ns;
	seat_wait(s);
	load_dial(s->load);
}

/* It will hold no connection any more. When none will, the run is over. */
static void seat_leave(struct seat *s)
{
	struct load *l = s->load;

	assert(l->seats_live > 0);
	if (--l->seats_live == 0)
		worker_stop(l->worker, WORKER_DRAIN);
}

/* Full jitter (Brooker, AWS 2015): anything up to a bound that doubles with every failure. */
static int64_t seat_backoff_ns(struct seat *s)
{
	const struct reconnect_policy *p = &s->load->run->config->reconnect;
	int64_t bound = p->min_ns;

	for (uint32_t i = 0; i < s->failures && bound < p->max_ns; i++)
		bound *= 2;
	bound = bound < p->max_ns ? bound : p->max_ns;
	s->failures++;
	return (int64_t)rng_below(&s->load->rng, (uint64_t)bound + 1);
}

/* Its connection, or an attempt at one, has ended. */
static void seat_again(struct seat *s, bool was_open)
{
	struct load *l = s->load;
	int64_t wait_ns = was_open ? 0 : REDIAL_NS;

	if (load_no_more(l) || l->run->config->reconnect.mode == RECONNECT_NEVER) {
		seat_leave(s);
		return;
	}
	if (l->run->config->reconnect.mode == RECONNECT_BACKOFF)
		wait_ns = seat_backoff_ns(s);
	timer_set(&l->worker->timers, &s->retry, clock_now_ns() + wait_ns);
}

/* Takes a slot for each seat that waits, as far as attempts may be under way. */
static void load_dial(struct load *l)
{
	while (l->waiting && l->dialing < DIALS_MAX) {
		struct seat *s = l->waiting;
		struct load_conn *lc;
		struct conn *c;

		if (load_no_more(l)) {
			l->waiting = s->next;
			seat_leave(s);
			continue;
		}
		c = conn_dial(l->worker, &l->run->target, NULL);
		if (!c) {
			/* connections that are still closing hold the slots */
			timer_set(&l->worker->timers, &l->dial, clock_now_ns() + REDIAL_NS);
			break;
		}
		l->waiting = s->next;
		l->dialing++;
		l->books.attempts++;
		lc = conn_role(c);
		lc->seat = s;
		lc->number = l->next_number;
		lc->base = payload_base(&l->run->payload, lc->number);
		l->next_number += l->number_step;
		if (l->run->config->connect_timeout > 0)
			conn_deadline(c, clock_now_ns() + l->run->config->connect_timeout);
	}
	if (!l->waiting)
		l->waiting_tail = &l->waiting;
}

static void load_dial_timer(struct timer *t, int64_t now_ns)
{
	(void)now_ns;
	load_dial(container_of(t, struct load, dial));
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
		conn_deadline(c, *load_stamp(lc, lc->answered) + timeout_ns);
}

/* Something is owed to us, where nothing was. */
static void load_owe(struct load *l, uint64_t n, int64_t now_ns)
{
	if (l->owed == 0)
		atomic_store_explicit(&l->source->waiting_since_ns, now_ns, memory_order_relaxed);
	l->owed += n;
}

static void load_unowe(struct load *l, uint64_t n, int64_t now_ns)
{
	assert(l->owed >= n);
	l->owed -= n;
	atomic_store_explicit(&l->source->waiting_since_ns, l->owed > 0 ? now_ns : INT64_MAX,
			      memory_order_relaxed);
}

/* Begins as many messages as the window, the quota and one span allow. */
static void load_begin(struct load *l, struct load_conn *lc)
{
	const struct load_config *config = l->run->config;
	uint64_t n = 0;
	int64_t now_ns = 0;

	while (load_owed(lc) < config->pipeline && !load_no_more(l) &&
	       lc->begun_end - lc->fed < PAYLOAD_SPAN_MAX) {
		if (n++ == 0)
			now_ns = clock_now_ns();
		*load_stamp(lc, lc->begun) = now_ns;
		lc->begun_end += load_size(lc, lc->begun);
		lc->begun++;
		l->quota--;
	}
	if (n == 0)
		return;
	l->books.all.sent += n;
	if (load_measured(l, now_ns))
		l->books.measured.sent += n;
	load_owe(l, n, now_ns);
}

/* Sends what may be sent; a connection with nothing more to do has finished. */
static void load_pump(struct conn *c)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);

	while (c->state == CONN_OPEN && conn_fed(c)) {
		size_t len;

		load_begin(l, lc);
		len = size_min(lc->begun_end - lc->fed, PAYLOAD_SPAN_MAX);
		if (len == 0)
			break;
		lc->fed += len;
		conn_feed(c, payload_at(&l->run->payload, lc->base, lc->fed - len), len);
	}
	if (c->state != CONN_OPEN)
		return;
	if (load_owed(lc) == 0 && load_no_more(l))
		conn_close(c, FAIL_FINISHED);
	else
		load_arm(c);
}

/* The stream has come back right up to @upto: messages that end there or before are echoed. */
static void load_answered(struct conn *c, uint64_t upto)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	bool outage = outage_open(&l->run->outages) != 0;
	struct hist *h = outage ? l->inside : l->outside;
	uint64_t n = 0;
	int64_t now_ns = 0;

	while (load_owed(lc) > 0) {
		uint64_t size = load_size(lc, lc->answered);
		int64_t sent_ns = *load_stamp(lc, lc->answered);

		if (lc->answered_end + size > upto)
			break;
		if (n++ == 0)
			now_ns = clock_now_ns();
		if (load_measured(l, sent_ns)) {
			hist_record(h, now_ns - sent_ns);
			l->books.measured.echoed++;
			l->books.echoed_in_outage += outage;
		}
		lc->answered_end += size;
		lc->answered++;
	}
	if (n == 0)
		return;
	l->books.all.echoed += n;
	stats_add(&l->live_echoed, n);
	atomic_store_explicit(&l->source->last_echo_ns, now_ns, memory_order_relaxed);
	load_unowe(l, n, now_ns);
	lc->seat->failures = 0;
	if (outage)
		outage_echo(&l->run->outages, &lc->seat->outage, now_ns);
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
		.surplus = at >= lc->fed,
	};

	lc->corrupt = !first.surplus;
	if (!l->books.corruption.found)
		l->books.corruption = first;
	conn_abort(c, FAIL_CORRUPT);
}

static void load_data(struct conn *c, const void *span, size_t len)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	uint64_t from = c->received - len;
	size_t due = size_min(len, lc->fed - from);
	size_t right = due;

	assert(from <= lc->fed);
	if (l->run->config->verify)
		right = payload_verify(&l->run->payload, lc->base, from, span, due);
	load_answered(c, from + right);
	lc->surplus = len - due;
	if (right < len)
		load_corrupt(c, from + right, ((const uint8_t *)span)[right]);
	else
		load_pump(c);
}

/* ---- connections ---- */

static void load_opened(struct conn *c)
{
	struct load *l = load_of(c);
	uint32_t open = atomic_load_explicit(c->worker->conns, memory_order_relaxed);

	assert(l->dialing > 0);
	l->dialing--;
	l->books.established++;
	if (open > l->books.peak)
		l->books.peak = open;
	load_pump(c);
	load_dial(l);
}

static void load_eof(struct conn *c)
{
	conn_close(c, fail_from_errno(load_phase(c), 0));
}

static void load_expired(struct conn *c)
{
	if (c->state == CONN_DIALING)
		conn_close(c, FAIL_TIMEOUT_CONNECT);
	else
		conn_abort(c, FAIL_TIMEOUT_ANSWER); /* the RST tells a peer that is alive */
}

/* How far message bytes [from, to) had come. */
static enum lost load_how_far(const struct conn *c, uint64_t acked, uint64_t from, uint64_t to)
{
	if (from >= c->sent)
		return LOST_UNSENT;
	if (to > c->sent)
		return LOST_PARTIAL;
	return to > acked ? LOST_UNACKED : LOST_ACKED;
}

static void load_lose(struct message_counts *m, enum fail why, uint64_t n)
{
	if (why == FAIL_FINISHED)
		m->unfinished += n;
	else
		m->lost += n;
}

/* Books what the connection was still owed. Returns the number of messages lost. */
static uint64_t load_book_owed(struct conn *c)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	uint64_t acked = 0, n = load_owed(lc), lost = 0;

	if (n == 0)
		return 0;
	if (c->why != FAIL_FINISHED && c->fd >= 0)
		(void)sock_acked(c->fd, c->dialed, &acked); /* 0: as if nothing was */
	for (bool corrupt = lc->corrupt; load_owed(lc) > 0; corrupt = false, lc->answered++) {
		uint64_t from = lc->answered_end;
		bool measured = load_measured(l, *load_stamp(lc, lc->answered));

		lc->answered_end += load_size(lc, lc->answered);
		if (corrupt) {
			l->books.all.corrupt++;
			l->books.measured.corrupt += measured;
			continue;
		}
		load_lose(&l->books.all, c->why, 1);
		if (measured)
			load_lose(&l->books.measured, c->why, 1);
		if (c->why == FAIL_FINISHED)
			continue;
		l->books.lost[load_how_far(c, acked, from, lc->answered_end)]++;
		lost++;
	}
	load_unowe(l, n, l->last_event_ns);
	return lost;
}

static void load_book_bytes(struct load *l, const struct conn *c, uint64_t echoed)
{
	const struct load_conn *lc = conn_role(c);

	l->books.bytes_sent += c->sent;
	l->books.bytes_received += c->received;
	l->books.bytes_echoed += echoed;
	l->books.bytes_surplus += lc->surplus;
	l->books.bytes_partial += c->received - echoed - lc->surplus;
}

/* The connection, or the attempt, has ended with c->why. */
static void load_book_end(struct load *l, const struct conn *c, const struct outcome *o)
{
	const struct load_conn *lc = conn_role(c);
	struct outage_seat *seat = &lc->seat->outage;

	if (!c->opened && l->interrupted) {
		l->books.connecting_at_end++;
		return;
	}
	if (c->opened && l->interrupted && c->why == FAIL_FINISHED) {
		l->books.open_at_end++;
		return;
	}
	l->books.failed += !c->opened;
	books_outcome(&l->books, o);
	if (o->why != FAIL_FINISHED)
		stats_add(&l->live_errors, 1);
	if (fail_is_peers(o->why))
		outage_error(&l->run->outages, seat, l->last_event_ns, o->messages_lost);
	else
		outage_closed(&l->run->outages, seat);
}

static void load_closed(struct conn *c)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	struct outcome o = { .why = c->why, .at = load_phase(c), .err = c->err, .count = 1 };
	uint64_t echoed = lc->answered_end;

	if (!c->opened) {
		assert(l->dialing > 0);
		l->dialing--;
	}
	l->last_event_ns = clock_now_ns();
	o.first_ns = o.last_ns = l->last_event_ns - l->run->start_ns;
	o.messages_lost = load_book_owed(c);
	load_book_bytes(l, c, echoed);
	load_book_end(l, c, &o);
	if (c->why == FAIL_FINISHED)
		seat_leave(lc->seat);
	else
		seat_again(lc->seat, c->opened);
	load_dial(l);
}

/* ---- the worker's run ---- */

static void load_end(struct timer *t, int64_t now_ns)
{
	(void)now_ns;
	worker_stop(container_of(t, struct load, end)->worker, WORKER_DRAIN);
}

static void load_look_for_stall(struct timer *t, int64_t now_ns)
{
	struct load *l = container_of(t, struct load, stall);

	timer_set(&l->worker->timers, t, outage_check_stall(&l->run->outages, now_ns));
}

static void load_start(struct worker *w)
{
	struct load *l = w->role_state;
	struct load_run *run = l->run;

	l->end.fire = load_end;
	l->stall.fire = load_look_for_stall;
	l->dial.fire = load_dial_timer;
	if (run->end_ns < INT64_MAX)
		timer_set(&w->timers, &l->end, run->end_ns);
	timer_set(&w->timers, &l->stall, run->start_ns + run->config->stall);
	for (uint32_t i = 0; i < l->seat_count; i++)
		seat_wait(&l->seats[i]);
	load_dial(l);
}

static void load_finish(struct conn *c, void *arg)
{
	const struct load_conn *lc = conn_role(c);

	(void)arg;
	if (c->state == CONN_OPEN && load_owed(lc) == 0)
		conn_close(c, FAIL_FINISHED);
}

/* Sending ends; seats that hold no connection have nothing to wait for. */
static void load_stop_sending(struct load *l)
{
	l->stopping = true;
	timer_cancel(&l->worker->timers, &l->end);
	timer_cancel(&l->worker->timers, &l->stall);
	for (uint32_t i = 0; i < l->seat_count; i++) {
		if (!timer_is_set(&l->seats[i].retry))
			continue;
		timer_cancel(&l->worker->timers, &l->seats[i].retry);
		seat_leave(&l->seats[i]);
	}
	load_dial(l);
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
		conn_close_all(w, FAIL_FINISHED, false);
}

int load_init(struct load *l, struct load_run *run, uint32_t seats, uint64_t quota)
{
	l->run = run;
	l->seat_count = l->seats_live = seats;
	l->quota = quota;
	l->waiting_tail = &l->waiting;
	l->seats = calloc(seats, sizeof(*l->seats));
	l->inside = hist_new(HIST_DIGITS);
	l->outside = hist_new(HIST_DIGITS);
	if (!l->seats || !l->inside || !l->outside)
		return -ENOMEM;
	for (uint32_t i = 0; i < seats; i++) {
		l->seats[i].load = l;
		l->seats[i].retry.fire = seat_retry;
	}
	return 0;
}

void load_fini(struct load *l)
{
	free(l->seats);
	hist_free(l->inside);
	hist_free(l->outside);
	*l = (struct load){ 0 };
}

const struct role load_role = {
	.start = load_start,
	.stop = load_stop,
	.opened = load_opened,
	.data = load_data,
	.eof = load_eof,
	.drained = load_pump,
	.expired = load_expired,
	.closed = load_closed,
};
