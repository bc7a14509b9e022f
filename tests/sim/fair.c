/* SPDX-License-Identifier: MIT
 * fair: who has something to do is served within so many turns of the loop, however much there is
 * to do for others. checker.c sees who is forgotten when the process sleeps: one that always finds
 * work never does, and could leave a connection, a peer that waits to be accepted, or its timers
 * waiting for ever.
 */
#include <poll.h>

#include "echo/net/conn.h"
#include "echo/net/worker.h"
#include "sim.h"

/* In 10^8 steps nobody has waited for more than 16: where all buffers lie with peers that take a
 * byte a turn. */
enum { FAIR_TURNS = 20 };

static struct {
	unsigned timer_turns; /* so many turns a timer has been due */
	int64_t due_ns;       /* since then */
} fair;

void fair_begin(int64_t now_ns)
{
	fair.timer_turns = 0;
	fair.due_ns = now_ns;
}

/* There is something to do for @f, and nobody else is waited for: neither its peer, nor the kernel
 * to let a request run that has been woken. */
static bool waits(const struct flow *f)
{
	const struct conn *c = f->conn;

	if (f->state == FLOW_QUEUED)
		return !sim.faults; /* after an error of accept nobody is accepted for a while */
	if (!c || f->state == FLOW_CLOSED || ring_owes(f->file))
		return false;
	if (c->state == CONN_DIALING)
		return f->state == FLOW_OPEN || f->rst;
	if (c->state != CONN_OPEN)
		return false;
	if (f->rst)
		return true;
	if (!(flow_events(f) & POLLOUT))
		return false; /* for its peer to read */
	return conn_unsent(c) > 0 || f->unread_ns || (!c->fin && f->read != f->delivered);
}

/* Changes with whatever is done for @f. */
static uint64_t progress(const struct flow *f)
{
	return f->read + f->written + f->delivered;
}

static void look_at_flow(struct flow *f, bool blind)
{
	const uint64_t done = progress(f);

	if (!waits(f) || done != f->done)
		f->turns = 0;
	else if (!blind)
		f->turns++;
	f->done = done;
	if (f->turns > FAIR_TURNS)
		sim_fail("starves", "flow %u: %u turns, and nothing was done for it", f->id,
			 f->turns);
}

static void look_at_timers(const struct worker *w, bool blind)
{
	if (timers_next(&w->timers, fair.due_ns) != 0) {
		fair.timer_turns = 0;
		fair.due_ns = w->now_ns;
	} else if (!blind) {
		fair.timer_turns++;
	}
	if (fair.timer_turns > FAIR_TURNS)
		sim_fail("starves", "a timer has been due for %u turns", fair.timer_turns);
}

void fair_turn(const struct worker *w)
{
	const bool blind = w->blind; /* it could not submit, or was interrupted: nothing was told */
	const bool in_order = sim.backend == SIM_EPOLL || ring_keeps_order();

	for (unsigned i = 0; in_order && i < world_flow_count; i++)
		look_at_flow(&world_flows[i], blind);
	look_at_timers(w, blind);
}
