/* SPDX-License-Identifier: MIT
 * worker_turn: one turn of a worker: how long its backend may wait, and which deadlines are judged
 * behind it.
 */
#include <stdint.h>

#include "echo/base/clock.h"
#include "echo/base/timer.h"
#include "echo/net/backend.h"
#include "echo/net/worker.h"

enum {
	SPIN_NS = 50 * 1000,
	LATE_NS = 10 * 1000 * 1000, /* a timer that is later shows that we did not run */
	/* what one connection takes: in a ring the bytes, the cancel of a receive that does not see
	 * the reset behind them, another receive, that reset */
	LATE_TURNS = 4,
	TURN_CONNS = 256, /* connections that a turn delivers for, at least */
	BLIND_TURNS = 64, /* so many turns that could not look do deadlines wait for, at most */
};

/* How long the turn may wait. Sleeping is imprecise: the last bit before w->pace_ns is spun. */
static int64_t worker_wait_ns(const struct worker *w)
{
	int64_t wait_ns = w->closing ? 0 : timers_next(&w->timers, w->now_ns);
	int64_t left_ns;

	if (w->pace_ns == 0 || wait_ns == 0)
		return wait_ns;
	left_ns = w->pace_ns - clock_now_ns() - SPIN_NS;
	if (left_ns < 0)
		return 0;
	return wait_ns < 0 || left_ns < wait_ns ? left_ns : wait_ns;
}

/* A deadline may be judged only when all that came before it has been delivered. So timers run by
 * the time at which the turn began: what had arrived by then it has looked at. When we have not run
 * for a while (we were stopped, or had no CPU) more has arrived than one turn delivers: then timers
 * wait for a turn that finds nothing, but, blind ones aside, no longer than serving all twice.
 * Those have waited then that were due when this began; the others, which a second pause may have
 * overtaken, begin to. */
void worker_turn(struct worker *w)
{
	const int64_t begin_ns = w->now_ns, wait_ns = worker_wait_ns(w);
	const uint32_t round = LATE_TURNS + w->live / TURN_CONNS;
	const bool was_late = w->late_turns > 0;
	int64_t due_ns = begin_ns;

	if (wait_ns == 0 && !was_late && timers_next(&w->timers, begin_ns - LATE_NS) == 0)
		w->late_turns = round;
	w->found = 0;
	w->error = w->config->backend->turn(w, wait_ns);
	if (!was_late)
		w->late_ns = w->now_ns;
	if (w->blind && w->blind_turns++ < BLIND_TURNS)
		return;
	if (w->late_turns > 0 && (w->found > 0 || w->blind)) {
		if (w->held++ < 2 * round && --w->late_turns > 0)
			return;
		due_ns = w->late_ns;
	}
	w->late_turns = w->held = w->blind_turns = 0;
	timers_run(&w->timers, due_ns);
}
