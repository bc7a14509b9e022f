/* SPDX-License-Identifier: MIT
 * mover: connections that change processes, as net/move.c has them do it: one is detached, rests,
 * and is served here again, or leaves and comes back under another descriptor with the bytes that
 * its peer is owed. Both processes are this one.
 */
#include <string.h>

#include "echo/base/base.h"
#include "echo/net/backend.h"
#include "echo/net/conn.h"
#include "echo/net/shed.h"
#include "echo/net/worker.h"
#include "sim.h"

enum { RESTS_MAX = 4, ONCE_IN = 15, OFTEN = 5, OWED_MAX = 1 << 18 };

static struct {
	struct conn *leaving; /* MOVING; NULL: there is none */
	struct flow *flow;
	bool quiet;
	unsigned rests; /* turns that it goes on resting */
	int fd;         /* of the one that has left, in the other process; -1: none */
	size_t len;
	char owed[OWED_MAX];
	unsigned seen; /* candidates so far */
} mover;

void mover_begin(void)
{
	mover.leaving = NULL;
	mover.flow = NULL;
	mover.fd = -1;
}

bool mover_is_busy(void)
{
	return mover.leaving || mover.fd >= 0;
}

/* One of all, each as likely. */
static void mover_consider(struct conn *c, void *arg)
{
	(void)arg;
	if (c->state == CONN_OPEN && c->fd >= 0 && (!c->fin || c->eof) && !c->fin_sent &&
	    choice_below(++mover.seen) == 0)
		mover.leaving = c;
}

static void mover_add(void *arg, const void *span, size_t len)
{
	(void)arg;
	if (mover.len + len > OWED_MAX)
		sim_fail("moved-wrong", "flow %u: is owed too much", mover.flow->id);
	memcpy(mover.owed + mover.len, span, len);
	mover.len += len;
}

/* Neither the backend nor the kernel may name it any more, and nothing may be missing: what it is
 * owed is what was read and has not been written. */
static void mover_check(const struct worker *w)
{
	const struct flow *f = mover.flow;

	if (f->file->watched || f->file->refs != 1 || ring_pending(f->file) > 0)
		sim_fail("moved-in-use",
			 "flow %u: is detached, and watched %d, held %u, %u in flight", f->id,
			 f->file->watched, f->file->refs, ring_pending(f->file));
	mover.len = 0;
	w->config->backend->owed(mover.leaving, mover_add, NULL);
	if (mover.len != f->read - f->written)
		sim_fail("moved-wrong", "flow %u: owed %zu bytes; %llu read, %llu written", f->id,
			 mover.len, (unsigned long long)f->read, (unsigned long long)f->written);
	for (size_t at = 0; at < mover.len; at += FLOW_SPAN) {
		if (memcmp(mover.owed + at, flow_bytes(f, f->written + at),
			   size_min(mover.len - at, FLOW_SPAN)) != 0)
			sim_fail("moved-wrong", "flow %u: is owed other bytes", f->id);
	}
}

/* It is served here again. */
static void mover_stays(void)
{
	struct conn *c = mover.leaving;

	TRACE("flow %u: stays", mover.flow->id);
	mover.leaving = NULL;
	conn_attach(c);
}

static void mover_leaves(void)
{
	TRACE("flow %u: leaves, owed %zu bytes", mover.flow->id, mover.len);
	mover.fd = file_dup(mover.leaving->fd);
	mover.flow->away = true;
	conn_moved(mover.leaving);
	mover.leaving = NULL;
}

static void mover_comes(struct worker *w)
{
	struct unsent none = { 0 };
	struct conn *c = NULL;
	struct flow *f = mover.flow;
	const int fd = mover.fd;

	mover.fd = -1;
	f->away = false;
	f->delivered = f->echoed = f->read;
	if (mover.len <= unsent_room(&w->pool, &none))
		c = shed_adopt(w, fd);
	TRACE("flow %u: %s", f->id, c ? "is adopted" : "finds no place");
	if (!c) {
		file_of(fd)->abort = true; /* the other process ends it, in its way */
		(void)file_close(fd);
		return;
	}
	if (mover.len > 0 && unsent_push(&w->pool, &c->out, mover.owed, mover.len) < 0)
		sim_fail("moved-wrong", "flow %u: no room for what it is owed", f->id);
	conn_attach(c);
}

static void mover_go_on(struct worker *w)
{
	int r;

	if (choice_chance(8))
		world_pause();
	r = mover.quiet ? 1 : w->config->backend->detach(mover.leaving);

	if (r < 0)
		mover_stays();
	if (r <= 0)
		return;
	file_signal(); /* as who has asked for the move does */
	if (!mover.quiet)
		mover_check(w);
	mover.quiet = true;
	if (mover.rests > 0)
		mover.rests--;
	else if (choice_chance(2))
		mover_leaves();
	else
		mover_stays();
}

static void mover_start(struct worker *w)
{
	mover.seen = 0;
	conn_each(w, mover_consider, NULL);
	if (!mover.leaving)
		return;
	mover.flow = file_of(mover.leaving->fd)->flow;
	TRACE("flow %u: is to move", mover.flow->id);
	mover.quiet = false;
	mover.rests = choice_below(RESTS_MAX);
	conn_detach(mover.leaving);
	mover_go_on(w);
}

void mover_turned(struct worker *w)
{
	if (mover.fd >= 0)
		mover_comes(w);
	else if (mover.leaving)
		mover_go_on(w);
	else if (w->stopping == WORKER_RUN && !world_stopping() &&
		 choice_chance(sim.scarce ? OFTEN : ONCE_IN))
		mover_start(w);
}
