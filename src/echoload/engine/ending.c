/* SPDX-License-Identifier: MIT
 * ending: books how a connection or an attempt ended: its phase, and how far each message that it
 * still owed had come.
 */
#include <assert.h>

#include "echo/base/clock.h"
#include "load_conn.h"

enum phase ending_phase(const struct conn *c)
{
	const struct load_conn *lc = conn_role(c);

	if (!c->opened && c->state != CONN_OPEN)
		return PHASE_CONNECTING;
	if (c->cause == CAUSE_FINISHED)
		return PHASE_CLOSING;
	if (load_owed(lc) == 0)
		return PHASE_IDLE;
	return lc->begun_end > c->sent ? PHASE_SENDING : PHASE_AWAITING;
}

/* How far message bytes [from, to) are known to have come. Of what is in flight when the loop is
 * left at once nobody hears any more: it may have gone. */
static enum lost load_how_far(const struct conn *c, uint64_t acked, uint64_t from, uint64_t to)
{
	const bool unheard = c->worker->stopping == WORKER_QUIT;

	if (from >= c->sent + (unheard ? c->span_len : 0))
		return LOST_UNSENT;
	if (to > c->sent)
		return LOST_PARTIAL;
	return to > acked ? LOST_UNACKED : LOST_ACKED;
}

static void load_lose(struct message_counts *m, enum cause cause, uint64_t n)
{
	if (cause == CAUSE_FINISHED)
		m->unfinished += n;
	else
		m->lost += n;
}

/* Books what the connection was still owed. Returns the number of messages lost. */
static uint64_t load_book_owed(struct conn *c)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	struct books *b = lc->seat->books;
	uint64_t acked = 0, n = load_owed(lc), lost = 0;

	if (n == 0)
		return 0;
	if (c->cause != CAUSE_FINISHED && c->fd >= 0)
		(void)sock_acked(c->fd, c->dialed, c->sent, &acked); /* 0: as if nothing was */
	for (bool corrupt = lc->corrupt; load_owed(lc) > 0; corrupt = false) {
		uint64_t from = lc->answered_end;
		bool measured = load_measured(lc, load_oldest(lc)->due_ns);

		load_settle(lc, load_size(lc, lc->answered));
		if (corrupt) {
			b->all.corrupt++;
			b->measured.corrupt += measured;
			continue;
		}
		load_lose(&b->all, c->cause, 1);
		if (measured)
			load_lose(&b->measured, c->cause, 1);
		if (c->cause == CAUSE_FINISHED)
			continue;
		b->lost[load_how_far(c, acked, from, lc->answered_end)]++;
		lost++;
	}
	load_unowe(l, n, l->last_event_ns);
	return lost;
}

static void load_book_bytes(const struct conn *c, uint64_t echoed)
{
	const struct load_conn *lc = conn_role(c);
	struct books *b = lc->seat->books;

	b->bytes_sent += c->sent;
	b->bytes_received += c->received;
	b->bytes_echoed += echoed;
	b->bytes_surplus += lc->surplus;
	b->bytes_partial += c->received - echoed - lc->surplus;
}

/* The connection, or the attempt, has ended with c->cause. */
static void load_book_end(struct load *l, const struct conn *c, const struct outcome *o)
{
	const struct load_conn *lc = conn_role(c);
	struct outage_seat *seat = &lc->seat->outage;
	struct books *b = lc->seat->books;

	if (l->interrupted && c->cause == CAUSE_FINISHED) {
		b->open_at_end += c->opened;
		b->connecting_at_end += !c->opened;
		return;
	}
	b->failed += !c->opened;
	books_outcome(b, o);
	if (o->cause != CAUSE_FINISHED)
		stats_add(&l->progress_errors, 1);
	if (lc->seat->idle)
		return; /* the watch is over the connections of the load */
	if (cause_is_peers(o->cause))
		outage_error(&l->run->outages, seat, l->last_event_ns, o->messages_lost);
	else if (o->cause !=
		 CAUSE_FINISHED) /* churn: its seat has been served, and will be again */
		outage_closed(&l->run->outages, seat, l->last_event_ns);
}

void ending_book(struct conn *c)
{
	struct load *l = load_of(c);
	struct load_conn *lc = conn_role(c);
	struct outcome o = { .cause = c->cause, .at = ending_phase(c), .err = c->err, .count = 1 };
	uint64_t echoed = lc->answered_end;

	l->last_event_ns = clock_now_ns();
	o.first_ns = o.last_ns = l->last_event_ns - l->run->start_ns;
	o.messages_lost = load_book_owed(c);
	load_book_bytes(c, echoed);
	load_book_end(l, c, &o);
}
