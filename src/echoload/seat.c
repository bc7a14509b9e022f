/* SPDX-License-Identifier: MIT
 * seat: requested connections that have none: they wait in a queue to be dialed, so that a storm of
 * attempts does not time out in our own host, and come back to it when the policy lets them.
 */
#include <assert.h>

#include "echo/base.h"
#include "echo/clock.h"
#include "load_conn.h"

enum {
	DIALS_MAX = 128,         /* attempts of one worker at a time */
	REDIAL_NS = 1000 * 1000, /* `immediate`, after an attempt that failed: no busy loop */
};

void seat_wait(struct seat *s)
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
	seat_dial(s->load);
}

void seat_leave(struct seat *s)
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

void seat_again(struct seat *s, bool was_open)
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

void seat_dial(struct load *l)
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
		c = conn_dial(l->worker, &l->run->targets[s->target], NULL);
		if (!c) {
			/* connections that are still closing hold the slots */
			timer_set(&l->worker->timers, &l->dial, clock_now_ns() + REDIAL_NS);
			break;
		}
		l->waiting = s->next;
		l->dialing++;
		s->books->attempts++;
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

void seat_init(struct seat *s, struct load *l, unsigned target)
{
	s->load = l;
	s->target = target;
	s->books = &l->books[target];
	s->retry.fire = seat_retry;
}
