/* SPDX-License-Identifier: MIT
 * stall: looks for silence, as the watch over outages (outage.h) wants it. An echo shows that there
 * is service. Where none came for a while, one large message may be on its way on a slow path: then
 * bytes of it that came back are a sign too (load.c notes them), and those that the peer's kernel
 * has acknowledged, which it is asked for here, a few times within --stall and only then.
 *
 * Only the message counts that has waited for longest. What was sent behind it, the kernel of a
 * server that hangs goes on to acknowledge for as long as it has room.
 */
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/sock.h"
#include "load_conn.h"

enum {
	CHECKS = 4,                        /* within --stall */
	CHECK_LATE_NS = 100 * 1000 * 1000, /* a timer that is later shows that we did not run */
};

static int64_t stall_pause_ns(const struct load *l)
{
	int64_t ns = l->run->config->stall / CHECKS;

	return ns > MSEC(1) ? ns : MSEC(1);
}

/* Sets *@progress if more of its oldest unanswered message is acknowledged than at the last check.
 */
static void stall_check_conn(struct conn *c, void *progress)
{
	struct load_conn *lc = conn_role(c);
	const uint64_t message = lc->answered + 1;
	uint64_t acked;

	if (c->state != CONN_OPEN || load_owed(lc) == 0 ||
	    sock_acked(c->fd, c->dialed, c->sent, &acked) < 0)
		return;
	acked = size_min(acked, lc->answered_end + load_size(lc, lc->answered));
	if (lc->checked_message == message && acked > lc->checked_acked)
		*(bool *)progress = true;
	lc->checked_message = message;
	lc->checked_acked = acked;
}

/* What this worker knows of is older than the time between two checks. */
static bool stall_is_quiet(const struct load *l, int64_t now_ns)
{
	const struct outage_worker *w = l->watched;
	const int64_t since_ns = now_ns - stall_pause_ns(l);

	return l->owed > 0 &&
	       atomic_load_explicit(&w->last_echo_ns, memory_order_relaxed) <= since_ns &&
	       atomic_load_explicit(&w->last_progress_ns, memory_order_relaxed) <= since_ns;
}

static void stall_check(struct timer *t, int64_t now_ns)
{
	struct load *l = container_of(t, struct load, stall);
	struct outage_watch *watch = &l->run->outages;
	bool progress = false;
	int64_t next_ns, last_ns;

	if (now_ns - t->at_ns > CHECK_LATE_NS)
		outage_resume(watch, now_ns);
	if (!outage_open(watch) && stall_is_quiet(l, now_ns)) {
		conn_each(l->worker, stall_check_conn, &progress);
		/* with very many connections that took long: the time must not count as a pause of
		 * this process, and the next turn must not sleep for so much longer */
		l->worker->now_ns = clock_now_ns();
	}
	if (progress)
		atomic_store_explicit(&l->watched->last_progress_ns, now_ns, memory_order_relaxed);
	next_ns = outage_check_stall(watch, l->watched, now_ns);
	last_ns = l->worker->now_ns + stall_pause_ns(l);
	if (next_ns < l->worker->now_ns)
		next_ns = l->worker->now_ns;
	timer_set(&l->worker->timers, t, next_ns < last_ns ? next_ns : last_ns);
}

void stall_start(struct load *l)
{
	l->stall.fire = stall_check;
	timer_set(&l->worker->timers, &l->stall, l->run->start_ns + stall_pause_ns(l));
}

void stall_stop(struct load *l)
{
	timer_cancel(&l->worker->timers, &l->stall);
	outage_retire(&l->run->outages, l->watched);
}
