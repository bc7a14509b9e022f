/* SPDX-License-Identifier: MIT
 * move: batches of connections that leave a worker, or join it.
 */
#include "echo/net/move.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/backend.h"
#include "echo/net/conn.h"
#include "echo/net/shed.h"
#include "echo/net/worker.h"

bool move_can(const struct worker *w)
{
	return w->config->backend->detach != NULL;
}

static int move_call(struct worker *w, struct worker_call *call,
		     int (*run)(struct worker *w, struct worker_call *call))
{
	call->run = run;
	worker_post(w, call);
	return worker_await(call);
}

/* ---- those that leave ---- */

static struct move *move_of(struct worker_call *call)
{
	return container_of(call, struct move, call);
}

/* After a FIN of ours what still comes is dropped: whoever serves it next would not know. With the
 * peer's FIN nothing more comes. */
static bool move_may(const struct conn *c)
{
	return c->state == CONN_OPEN && c->fd >= 0 && (!c->fin || c->eof) && !c->fin_sent;
}

static void move_woken(struct timer *t, int64_t now_ns)
{
	(void)t;
	(void)now_ns; /* that the turn has ended is all */
}

static void move_begin(struct worker *w, struct move *m)
{
	const uint32_t end = w->table.capacity - w->table.fresh;

	m->begun = true;
	m->count = 0;
	m->total = 0;
	for (; m->from < end && m->count < MOVE_MAX; m->from++) {
		struct conn *c = conn_slot(&w->table, m->from);

		if (!move_may(c))
			continue;
		conn_detach(c);
		m->waiting[m->count] = true;
		m->kept[m->count] = false;
		m->conns[m->count++] = c;
	}
	m->over = m->from >= end;
	m->until_ns = clock_now_ns() + MSEC(MOVE_QUIET_MS);
	m->timer = (struct timer){ .fire = move_woken };
	timer_set(&w->timers, &m->timer, m->until_ns);
}

/* How many are not quiet yet. */
static unsigned move_detach(struct worker *w, struct move *m)
{
	const struct backend_ops *backend = w->config->backend;
	unsigned left = 0;

	for (unsigned i = 0; i < m->count; i++) {
		int r = m->waiting[i] ? backend->detach(m->conns[i]) : 1;

		m->waiting[i] = r == 0;
		left += r == 0;
		if (r >= 0)
			continue;
		conn_attach(m->conns[i]);
		m->conns[i] = NULL;
	}
	return left;
}

struct move_sum {
	uint64_t len;
	int fd; /* -1: only adds up */
	bool failed;
};

static void move_write(void *arg, const void *span, size_t len)
{
	struct move_sum *s = arg;
	const char *at = span;

	s->len += len;
	while (s->fd >= 0 && len > 0 && !s->failed) {
		ssize_t n = write(s->fd, at, len);

		s->failed = n <= 0;
		at += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

/* Adds what connection @c is owed to the file. Returns its bytes, or -ENOSPC with the file as it
 * was, as far as anybody reads it. */
static int64_t move_take_owed(const struct worker *w, struct move *m, const struct conn *c)
{
	struct move_sum sum = { .fd = -1 };

	w->config->backend->owed(c, move_write, &sum);
	if (sum.len > MOVE_OWED_MAX - m->total)
		return -ENOSPC;
	sum = (struct move_sum){ .fd = m->data_fd };
	if (lseek(m->data_fd, (off_t)m->total, SEEK_SET) < 0)
		return -ENOSPC;
	w->config->backend->owed(c, move_write, &sum);
	if (sum.failed)
		return -ENOSPC;
	m->total += sum.len;
	return (int64_t)sum.len;
}

/* Those that are quiet, without gaps; the others stay. A batch that is full leaves the rest to the
 * next, but for one that is too large for any. */
static void move_pack(struct worker *w, struct move *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->count; i++) {
		struct conn *c = m->conns[i];
		int64_t owed = c && !m->waiting[i] ? move_take_owed(w, m, c) : -EBUSY;

		if (owed >= 0) {
			m->owed[n] = (uint64_t)owed;
			m->conns[n++] = c;
			continue;
		}
		if (owed == -ENOSPC && n > 0 && m->total > 0 && c->slot < m->from) {
			m->from = c->slot;
			m->over = false;
		}
		if (c)
			conn_attach(c);
	}
	m->count = n;
}

static int move_collect_step(struct worker *w, struct worker_call *call)
{
	struct move *m = move_of(call);

	if (!m->begun)
		move_begin(w, m);
	if (move_detach(w, m) > 0 && clock_now_ns() < m->until_ns)
		return -EAGAIN;
	timer_cancel(&w->timers, &m->timer);
	move_pack(w, m);
	m->begun = false;
	return 0;
}

int move_collect(struct worker *w, struct move *m)
{
	assert(move_can(w) && !m->begun);
	return move_call(w, &m->call, move_collect_step);
}

static int move_settle_run(struct worker *w, struct worker_call *call)
{
	struct move *m = move_of(call);

	(void)w;
	for (unsigned i = 0; i < m->count; i++) {
		if (m->kept[i])
			conn_moved(m->conns[i]);
		else
			conn_attach(m->conns[i]);
	}
	m->count = 0;
	return 0;
}

int move_settle(struct worker *w, struct move *m)
{
	return move_call(w, &m->call, move_settle_run);
}

/* ---- those that join ---- */

static struct conn *move_adopt_one(struct worker *w, int fd, const char *owed, size_t len)
{
	struct unsent none = { 0 };
	struct conn *c = len <= unsent_room(&w->pool, &none) ? shed_adopt(w, fd) : NULL;
	int r;

	if (!c || len == 0)
		return c;
	r = unsent_push(&w->pool, &c->out, owed, len);
	assert(r == 0);
	(void)r;
	return c;
}

static int move_adopt_run(struct worker *w, struct worker_call *call)
{
	struct move_in *m = container_of(call, struct move_in, call);

	for (unsigned i = m->first; i < m->count; i += m->step) {
		struct conn *c = NULL;

		if (m->fds[i] >= 0)
			c = move_adopt_one(w, m->fds[i], m->data + m->at[i], m->owed[i]);
		m->conns[i] = c;
		m->kept[i] = c != NULL;
	}
	return 0;
}

int move_adopt(struct worker *w, struct move_in *m)
{
	assert(move_can(w) && m->step > 0);
	return move_call(w, &m->call, move_adopt_run);
}

static int move_serve_run(struct worker *w, struct worker_call *call)
{
	const struct move_in *m = container_of(call, struct move_in, call);

	(void)w;
	for (unsigned i = m->first; i < m->count; i += m->step) {
		if (m->conns[i])
			conn_attach(m->conns[i]);
	}
	return 0;
}

int move_serve(struct worker *w, struct move_in *m)
{
	return move_call(w, &m->call, move_serve_run);
}

static int move_drop_run(struct worker *w, struct worker_call *call)
{
	const struct move_in *m = container_of(call, struct move_in, call);

	(void)w;
	for (unsigned i = m->first; i < m->count; i += m->step) {
		if (m->conns[i])
			conn_moved(m->conns[i]);
	}
	return 0;
}

int move_drop(struct worker *w, struct move_in *m)
{
	return move_call(w, &m->call, move_drop_run);
}
