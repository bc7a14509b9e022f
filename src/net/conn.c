/* SPDX-License-Identifier: MIT
 * conn: the table of a worker's connections and the life of each.
 *
 * A slot holds the connection, the backend's part and the role's part side by side. Ending is in
 * two steps so that callbacks never nest: conn_close marks and queues, conn_reap (when the turn is
 * over) lets the backend stop naming it, and conn_release tells the role and frees the slot once
 * nothing in flight can name it.
 */
#include "echo/net/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/net/backend.h"
#include "echo/net/contract.h"
#include "echo/net/limit.h"
#include "echo/net/worker.h"

static size_t align_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

/* Bytes of the slab that @capacity slots take, in whole pages. */
static size_t conn_table_len(const struct conn_table *t, uint32_t capacity)
{
	return align_up(t->stride * capacity, (size_t)sysconf(_SC_PAGESIZE));
}

/* Addresses cost nothing: those of slots that may be wanted later are taken now, since slots never
 * move. Where even that is too much there are as many as are wanted now. */
static char *conn_table_map(struct conn_table *t, uint32_t capacity, uint32_t most)
{
	const int how = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	char *slab = MAP_FAILED;

	if (most > capacity) {
		t->slab_len = conn_table_len(t, most);
		slab = mmap(NULL, t->slab_len, PROT_NONE, how, -1, 0);
	}
	if (slab != MAP_FAILED &&
	    mprotect(slab, conn_table_len(t, capacity), PROT_READ | PROT_WRITE) == 0)
		return slab;
	if (slab != MAP_FAILED)
		munmap(slab, t->slab_len);
	t->slab_len = conn_table_len(t, capacity);
	slab = mmap(NULL, t->slab_len, PROT_READ | PROT_WRITE, how, -1, 0);
	return slab != MAP_FAILED ? slab : NULL;
}

int conn_table_init(struct worker *w, uint32_t capacity)
{
	struct conn_table *t = &w->table;

	assert(capacity > 0);
	CONTRACT_HOLD(w);
	t->role_at =
		sizeof(struct conn) + align_up(w->config->backend->conn_size, alignof(struct conn));
	t->stride = align_up(t->role_at + w->role->conn_size, CONN_LINE);
	t->slab = conn_table_map(t, capacity, w->config->slots_max);
	if (!t->slab)
		return -ENOMEM;
	t->capacity = capacity;
	t->fresh = capacity;
	t->free = NULL;
	w->closing = NULL;
	w->closing_tail = &w->closing;
	return 0;
}

int conn_table_grow(struct worker *w, uint32_t capacity)
{
	struct conn_table *t = &w->table;
	const size_t len = conn_table_len(t, capacity);

	if (capacity <= t->capacity)
		return 0;
	if (len > t->slab_len || mprotect(t->slab, len, PROT_READ | PROT_WRITE) < 0)
		return -ENOMEM;
	t->fresh += capacity - t->capacity;
	t->capacity = capacity;
	return 0;
}

void conn_table_fini(struct worker *w)
{
	if (w->table.slab)
		munmap(w->table.slab, w->table.slab_len);
	w->table.slab = NULL;
}

static void conn_timer_fired(struct timer *timer, int64_t now_ns)
{
	struct conn *c = container_of(timer, struct conn, timer);

	if (c->state == CONN_CLOSING || c->state == CONN_MOVING || c->deadline_ns == 0)
		return;
	if (c->deadline_ns > now_ns) {
		timer_set(&c->worker->timers, timer, c->deadline_ns);
		return;
	}
	c->deadline_ns = 0;
	c->worker->role->expired(c);
}

/* A free slot, its bytes zeroed but for its number and generation. */
static struct conn *conn_take(struct worker *w, int fd, enum conn_state state)
{
	struct conn_table *t = &w->table;
	struct conn *c = t->free;
	uint32_t slot, gen;

	if (c) {
		slot = c->slot;
		t->free = c->next;
	} else if (t->fresh > 0) {
		slot = t->capacity - t->fresh--;
		c = conn_slot(t, slot);
	} else {
		return NULL;
	}
	assert(c->state == CONN_FREE);
	gen = c->gen;
	memset(c, 0, t->stride);
	c->slot = slot;
	c->gen = gen;
	c->worker = w;
	c->fd = fd;
	c->state = (uint8_t)state;
	c->timer.fire = conn_timer_fired;
	c->came_ns = w->now_ns;
	w->live++;
	return c;
}

static void conn_give(struct conn *c)
{
	struct worker *w = c->worker;

	assert(c->inflight == 0 && w->live > 0);
	c->state = CONN_FREE;
	c->gen = (c->gen + 1) & ((1u << CONN_GEN_BITS) - 1);
	c->next = w->table.free;
	w->table.free = c;
	w->live--;
}

struct conn *conn_accept(struct worker *w, int fd)
{
	struct conn *c = conn_take(w, fd, CONN_OPEN);

	if (!c)
		return NULL;
	c->is_unix = w->serves_unix && sock_is_unix(fd);
	if (c->is_unix)
		sock_accepted_unix(fd);
	stats_add(&w->stats.opened, 1);
	stats_add(&w->stats.open, 1);
	return c;
}

struct conn *conn_adopt(struct worker *w, int fd)
{
	struct conn *c = conn_take(w, fd, CONN_MOVING);

	if (!c)
		return NULL;
	c->is_unix = sock_is_unix(fd);
	stats_add(&w->stats.adopted, 1);
	stats_add(&w->stats.open, 1);
	return c;
}

struct conn *conn_dial(struct worker *w, const struct addr *to, const struct addr *from)
{
	struct conn *c = conn_take(w, -1, CONN_DIALING);
	int r;

	if (!c)
		return NULL;
	c->dialed = true;
	c->is_unix = addr_is_unix(to);
	r = sock_dial(to, from, &w->config->sock);
	if (r >= 0) {
		c->fd = r;
		r = w->config->backend->dial(c);
	}
	if (r < 0)
		conn_fail(c, -r);
	return c;
}

void conn_opened(struct conn *c)
{
	struct worker *w = c->worker;

	if (c->state == CONN_DIALING) {
		c->state = CONN_OPEN;
		atomic_fetch_add_explicit(w->conns, 1, memory_order_relaxed);
		stats_add(&w->stats.opened, 1);
		stats_add(&w->stats.open, 1);
	}
	assert(c->state == CONN_OPEN);
	w->role->opened(c);
}

/* Both FINs have crossed: nothing more can happen on it. */
static void conn_check_over(struct conn *c)
{
	if (c->eof && c->fin_sent)
		conn_close(c, c->fin_cause);
}

void conn_eof(struct conn *c)
{
	assert(c->state == CONN_OPEN && !c->eof);
	c->eof = true;
	if (c->send_err == ECONNRESET)
		conn_fail(c,
			  ECONNRESET); /* no FIN: the send took the errno, and recv says 0 then */
	else if (c->fin)
		conn_check_over(c);
	else
		c->worker->role->eof(c);
}

void conn_fin_sent(struct conn *c)
{
	c->fin_sent = true;
	conn_check_over(c);
}

/* The last byte has gone, or there was none. After the peer's FIN close alone sends ours. */
static void conn_send_fin(struct conn *c)
{
	if (c->eof)
		conn_fin_sent(c);
	else
		c->worker->config->backend->shutdown(c);
}

void conn_drained(struct conn *c)
{
	assert(c->state == CONN_OPEN && conn_unsent(c) == 0);
	if (c->fin)
		conn_send_fin(c);
	else
		c->worker->role->drained(c);
}

void conn_shutdown(struct conn *c, enum cause cause)
{
	if (c->state != CONN_OPEN || c->fin)
		return;
	c->fin = true;
	c->fin_cause = (uint8_t)cause;
	if (conn_unsent(c) == 0)
		conn_send_fin(c);
}

void conn_send(struct conn *c, const void *span, size_t len)
{
	assert(len > 0 && conn_unsent(c) == 0);
	if (c->state != CONN_OPEN)
		return;
	c->span = span;
	c->span_len = len;
	c->worker->config->backend->send(c);
}

void conn_arm(struct conn *c)
{
	timer_set(&c->worker->timers, &c->timer, c->deadline_ns);
}

static void conn_end(struct conn *c, enum cause cause, int err)
{
	struct worker *w = c->worker;

	assert(c->state != CONN_FREE && cause != CAUSE_NONE);
	if (c->state == CONN_CLOSING)
		return;
	c->opened = c->state == CONN_OPEN;
	c->state = CONN_CLOSING;
	c->cause = (uint8_t)cause;
	c->err = err;
	c->next = NULL;
	*w->closing_tail = c;
	w->closing_tail = &c->next;
}

void conn_close(struct conn *c, enum cause cause)
{
	conn_end(c, cause, 0);
}

void conn_abort(struct conn *c, enum cause cause)
{
	if (c->state != CONN_CLOSING)
		c->abort = true;
	conn_end(c, cause, 0);
}

void conn_fail(struct conn *c, int err)
{
	assert(err > 0);
	if (c->state != CONN_CLOSING)
		c->abort = true;
	conn_end(c, cause_from_errno(PHASE_SENDING, err), err);
}

void conn_detach(struct conn *c)
{
	assert(c->state == CONN_OPEN && c->fd >= 0);
	c->state = CONN_MOVING;
}

void conn_attach(struct conn *c)
{
	const struct worker *w = c->worker;
	int r;

	assert(c->state == CONN_MOVING);
	c->state = CONN_OPEN;
	if (w->role->resumed)
		w->role->resumed(c);
	r = w->config->backend->attach(c);
	if (r < 0)
		conn_fail(c, -r);
}

void conn_moved(struct conn *c)
{
	assert(c->state == CONN_MOVING && c->inflight == 0);
	c->state = CONN_OPEN;
	conn_end(c, CAUSE_MOVED, 0);
}

static void conn_choose_end(const struct conn *c)
{
	if (c->fd >= 0 && c->cause != CAUSE_MOVED && conn_resets(c))
		sock_abort(c->fd);
}

/* A reset is told once, to the first call; Linux says ECONNRESET if it came before a FIN, else
 * EPIPE (tcp_reset), and recv goes on to say 0 after a FIN. So EPIPE alone is no end of its own:
 * the FIN was, and recv tells it. A server goes on after a FIN: for it the reset is the end. */
void conn_send_failed(struct conn *c, int err)
{
	if (c->worker->role->echoes || c->eof || (err != EPIPE && err != ECONNRESET))
		conn_fail(c, err);
	else if (c->send_err == 0)
		c->send_err = err;
}

static void conn_close_fd(struct worker *w, int fd)
{
	if (w->config->backend->close_fd)
		w->config->backend->close_fd(w, fd);
	else
		close(fd);
}

void conn_release(struct conn *c)
{
	struct worker *w = c->worker;

	assert(c->state == CONN_CLOSING && c->inflight == 0);
	w->role->closed(c);
	conn_choose_end(c);
	timer_cancel(&w->timers, &c->timer);
	unsent_clear(&w->pool, &c->out);
	if (c->opened) {
		stats_add(&w->stats.closed[c->cause], 1);
		if (cause_is_limit(c->cause))
			worker_tell(w);
		if (w->cuts_off)
			stats_add(&w->stats.cut_off, 1);
		stats_add(&w->stats.open, UINT64_MAX); /* minus one */
		if (!c->replaced)
			atomic_fetch_sub_explicit(w->conns, 1, memory_order_relaxed);
	}
	if (c->limit)
		limit_leave(w->limit, c->limit);
	if (c->fd >= 0)
		conn_close_fd(w, c->fd);
	conn_give(c);
}

void conn_reap(struct worker *w)
{
	struct conn *c = w->closing, *next;

	w->closing = NULL;
	w->closing_tail = &w->closing;
	for (; c; c = next) {
		next = c->next;
		if (c->fd >= 0 || c->inflight > 0)
			w->config->backend->close(c);
		if (c->inflight == 0)
			conn_release(c);
	}
}

void conn_abandon(struct worker *w)
{
	const struct conn_table *t = &w->table;

	for (uint32_t i = 0; i < t->capacity - t->fresh; i++) {
		struct conn *c = conn_slot(t, i);

		if (c->state == CONN_OPEN)
			conn_choose_end(c); /* who ends our process, or this thread, closes it */
		if (c->state != CONN_CLOSING)
			continue;
		c->inflight = 0;
		conn_release(c);
	}
	CONTRACT_OVER(w);
}

void conn_each(struct worker *w, void (*each)(struct conn *c, void *arg), void *arg)
{
	const struct conn_table *t = &w->table;

	for (uint32_t i = 0; i < t->capacity - t->fresh; i++) {
		struct conn *c = conn_slot(t, i);

		if (c->state == CONN_DIALING || c->state == CONN_OPEN)
			each(c, arg);
	}
}

struct close_how {
	enum cause cause;
	bool abort;
};

static void conn_close_one(struct conn *c, void *arg)
{
	const struct close_how *how = arg;

	if (how->abort)
		conn_abort(c, how->cause);
	else
		conn_close(c, how->cause);
}

void conn_close_all(struct worker *w, enum cause cause, bool abort)
{
	conn_each(w, conn_close_one, &(struct close_how){ cause, abort });
}
