/* SPDX-License-Identifier: MIT
 * seat: requested connections that have none: they wait in a queue to be dialed, so that a storm of
 * attempts does not time out in our own host, and come back to it when the policy lets them.
 */
#include <assert.h>
#include <errno.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "load_conn.h"

enum {
	DIALS_MAX = 128,         /* attempts of one worker at a time */
	REDIAL_NS = 1000 * 1000, /* `immediate`, after an attempt that failed: no busy loop */
	QUEUE_PART = 8,          /* of the time that a full queue was tried: until the next try */
	QUEUE_MAX_NS = 100 * 1000 * 1000,
};

void seat_wait(struct seat *s)
{
	struct load *l = s->load;

	s->next = NULL;
	*l->waiting_tail = s;
	l->waiting_tail = &s->next;
}

/* The same, before all others. */
static void seat_wait_first(struct seat *s)
{
	struct load *l = s->load;

	s->next = l->waiting;
	if (!l->waiting)
		l->waiting_tail = &s->next;
	l->waiting = s;
}

static void seat_retry(struct timer *t, int64_t now_ns)
{
	struct seat *s = container_of(t, struct seat, retry);

	(void)now_ns;
	seat_wait(s);
	seat_dial(s->load);
}

/* It will hold no connection any more. When none will, the run is over. */
static void seat_leave(struct seat *s)
{
	struct load *l = s->load;

	if (s->idle)
		return;
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

void seat_again(struct seat *s, const struct conn *c)
{
	struct load *l = s->load;
	const struct load_config *config = l->run->config;
	bool churned = c->cause == CAUSE_FINISHED && config->churn > 0;
	int64_t wait_ns = c->opened ? 0 : REDIAL_NS;

	if (load_no_more(l) || (c->cause == CAUSE_FINISHED && !churned) ||
	    (!churned && config->reconnect.mode == RECONNECT_NEVER)) {
		seat_leave(s);
		return;
	}
	if (!churned && config->reconnect.mode == RECONNECT_BACKOFF)
		wait_ns = seat_backoff_ns(s);
	if (wait_ns == 0)
		seat_wait(s);
	else
		timer_set(&l->worker->timers, &s->retry, clock_now_ns() + wait_ns);
}

/* Prepares the connection that was dialed for the seat. */
static void seat_dialed(struct seat *s, struct conn *c, uint64_t number)
{
	struct load_conn *lc = conn_role(c);
	const struct load_run *run = s->load->run;

	lc->seat = s;
	lc->conn = c;
	lc->number = number;
	lc->base = payload_base(&run->payload, number);
	lc->dialed_ns = s->dialed_ns != 0 ? s->dialed_ns : clock_now_ns();
	if (run->config->connect_timeout > 0)
		conn_deadline(c, lc->dialed_ns + run->config->connect_timeout);
}

/* Whether --connect-rate lets another attempt begin now; if not, when to look again. */
static bool seat_may_dial(struct load *l)
{
	int64_t now_ns = clock_now_ns(), rate = l->run->config->connect_rate;

	if (rate == 0)
		return true;
	if (l->next_dial_ns > now_ns) {
		timer_set(&l->worker->timers, &l->dial, l->next_dial_ns);
		return false;
	}
	/* what could not be dialed in its time is not caught up in a burst */
	if (now_ns - l->next_dial_ns > MSEC(100))
		l->next_dial_ns = now_ns;
	l->next_dial_ns += (int64_t)l->number_step * SEC(1) / rate;
	return true;
}

/* Which of its target's addresses has worked, plus 1; 0: none yet. */
static unsigned seat_chosen(const struct seat *s)
{
	return atomic_load_explicit(&s->load->run->targets[s->target].chosen, memory_order_relaxed);
}

void seat_reached(struct seat *s)
{
	unsigned none = 0;

	if (seat_chosen(s) == 0)
		atomic_compare_exchange_strong(&s->load->run->targets[s->target].chosen, &none,
					       s->address + 1u);
}

/* An address that does not answer costs its time once: those that have waited for it are dialed
 * before all others, which begin with the address that has worked by then. */
bool seat_tries_on(struct seat *s, const struct conn *c)
{
	const unsigned count = s->load->run->targets[s->target].addrs.count;
	const unsigned chosen = seat_chosen(s), next = chosen > 0 ? chosen - 1 : s->address + 1u;

	if (c->opened || c->cause == CAUSE_FINISHED)
		return false;
	if (next == count || next == s->address) {
		s->address = 0; /* that was the last of them, or the only one that counts */
		return false;
	}
	s->address = (uint8_t)next;
	s->books->attempts--; /* it is counted where it goes on */
	seat_wait_first(s);
	return true;
}

/* A SYN that finds the queue full is sent again by the kernel. A unix socket is refused at once
 * (EAGAIN), and nothing tells when there is room: so the attempt goes on here, until its time is
 * over.
 */
bool seat_waits_for_queue(struct seat *s, struct conn *c)
{
	const struct load_conn *lc = conn_role(c);
	const int64_t limit_ns = s->load->run->config->connect_timeout, now_ns = clock_now_ns();
	const int64_t since_ns = now_ns - lc->dialed_ns;
	int64_t wait_ns = REDIAL_NS + since_ns / QUEUE_PART;

	s->dialed_ns = 0;
	if (c->opened || c->err != EAGAIN || load_no_more(s->load))
		return false;
	if (limit_ns > 0 && since_ns >= limit_ns) {
		c->cause = CAUSE_TIMEOUT_CONNECT;
		c->err = 0;
		return false;
	}
	if (limit_ns > 0 && wait_ns > limit_ns - since_ns)
		wait_ns = limit_ns - since_ns;
	s->dialed_ns = lc->dialed_ns;
	s->books->attempts--; /* it is counted where it goes on */
	timer_set(&s->load->worker->timers, &s->retry,
		  now_ns + (wait_ns < QUEUE_MAX_NS ? wait_ns : QUEUE_MAX_NS));
	return true;
}

static struct conn *seat_connect(struct seat *s, uint64_t number)
{
	const struct load_run *run = s->load->run;
	const unsigned chosen = seat_chosen(s);
	const struct addr *to;
	struct addr from;

	if (chosen > 0)
		s->address = (uint8_t)(chosen - 1);
	to = &run->targets[s->target].addrs.at[s->address];
	if (run->config->source.count == 0)
		return conn_dial(s->load->worker, to, NULL);
	/* counted within this part: addresses are this host's, and all of them take turns */
	from = srcaddr_nth(&run->config->source, number / run->whole->part.count);
	return conn_dial(s->load->worker, to, &from);
}

void seat_dial(struct load *l)
{
	while (l->waiting && l->dialing < DIALS_MAX) {
		struct seat *s = l->waiting;
		struct conn *c;

		if (load_no_more(l)) {
			l->waiting = s->next;
			seat_leave(s);
			continue;
		}
		if ((l->gate.shut && l->run->config->churn > 0) || !seat_may_dial(l))
			break;
		c = seat_connect(s, l->next_number);
		if (!c) {
			/* connections that are still closing hold the slots */
			timer_set(&l->worker->timers, &l->dial, clock_now_ns() + REDIAL_NS);
			break;
		}
		l->waiting = s->next;
		l->dialing++;
		s->books->attempts++;
		seat_dialed(s, c, l->next_number);
		l->next_number += l->number_step;
	}
	if (!l->waiting)
		l->waiting_tail = &l->waiting;
}

void seat_stop_all(struct load *l)
{
	for (uint32_t i = 0; i < l->seat_count; i++) {
		if (!timer_is_set(&l->seats[i].retry))
			continue;
		timer_cancel(&l->worker->timers, &l->seats[i].retry);
		seat_leave(&l->seats[i]);
	}
	seat_dial(l);
}

void seat_init(struct seat *s, struct load *l, uint64_t number)
{
	const struct load_config *whole = l->run->whole;

	s->load = l;
	s->target = (unsigned)(part_place(whole, number) % l->run->target_count);
	s->idle = number >= whole->connections;
	l->seats_live += !s->idle;
	s->books = &l->books[s->target];
	s->latency = l->latency[s->target];
	s->retry.fire = seat_retry;
}
