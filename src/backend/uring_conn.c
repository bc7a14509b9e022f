/* SPDX-License-Identifier: MIT
 * uring_conn: what a connection of the io_uring backend receives, and its end.
 *
 * Bytes of the peer pass, in order, through queues of which mostly none holds any:
 *
 *     kernel -> held -> role -> lent -> socket          buffers, as they lie
 *        spilled <'        '--> c->out ---^             the pool, copied
 *
 * Bytes are held or spilled when they were received but may not be delivered, because their echo
 * would have no room, neither within max_unsent nor in the pool. A connection that keeps up has a
 * multishot receive; one that falls behind gets single ones, no longer than the room that there is,
 * until it has caught up. So only what one multishot brings at once is ever held, and when buffers
 * become scarce it is spilled.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "pass.h"
#include "uring_private.h"

enum {
	CLOCK_EVERY = 16, /* deliveries between two readings of the clock */
	PASS_BUDGET = 16, /* steps of one connection before it is others' turn */
	GROUP = 0,
};

/* ---- receiving ---- */

/* Room in the pool beside what lent buffers have a claim to. */
static size_t pool_room(const struct conn *c)
{
	const struct worker *w = c->worker;
	const struct uring_state *s = w->state;
	size_t room = unsent_room(&w->pool, &c->out);

	return room <= s->lent ? 0 : room - s->lent;
}

/* How much may be delivered: as much as could be kept if the socket refused its echo. A connection
 * that owes nothing can have a whole buffer sent from where it lies, which takes no room; of what
 * was spilled a whole block, which is free then. */
static size_t room_to_deliver(const struct conn *c)
{
	const struct worker *w = c->worker;
	const struct uring_state *s = w->state;
	size_t unsent = c->out.len + c->lent_len, room;

	if (!w->role->echoes || c->fin)
		return SIZE_MAX;
	room = pool_room(c);
	if (unsent == 0 && uring_of(c)->spilled.len > 0)
		return room == 0 ? UNSENT_BLOCK : size_min(room, w->config->max_unsent);
	if (unsent == 0)
		return room < s->bufs.size ? s->bufs.size : size_min(room, w->config->max_unsent);
	if (unsent >= w->config->max_unsent || room <= s->reserve)
		return 0;
	return size_min(room - s->reserve, w->config->max_unsent - unsent);
}

/* It owes nothing, and what its socket might refuse has no room in the pool, or nothing could be
 * received into: it is served without either. */
static bool must_pass(const struct conn *c)
{
	const struct uring_state *s = c->worker->state;

	if (!c->worker->role->echoes || conn_unsent(c) > 0)
		return false;
	return pool_room(c) < s->bufs.size || s->bufs.queued + s->bufs.spare_count == 0;
}

static bool holds_bytes(const struct conn *c)
{
	const struct uring_conn *u = uring_of(c);

	return u->held.count > 0 || u->spilled.len > 0;
}

/* Bytes that can be delivered at once: the oldest held ones that lie together. */
static size_t held_len(const struct conn *c)
{
	const struct uring_state *s = c->worker->state;
	const struct uring_conn *u = uring_of(c);
	struct iovec v;

	if (unsent_peek(&u->spilled, &v, 1) == 1)
		return v.iov_len;
	return s->bufs.spans[u->held.first].len;
}

/* Half of the pool may hold what is spilled: the other half is for what can be sent and make room.
 */
static bool spill_one(struct conn *c)
{
	struct unsent_pool *pool = &c->worker->pool;
	struct uring_state *s = c->worker->state;
	struct uring_conn *u = uring_of(c);
	const struct uring_span *b = &s->bufs.spans[u->held.first];
	uint32_t before = unsent_free(pool);

	if (s->spilled + b->len / (UNSENT_BLOCK / 2) >= pool->blocks / 2 ||
	    unsent_push(pool, &u->spilled, uring_bufs_at(&s->bufs, u->held.first) + b->off,
			b->len) < 0)
		return false;
	s->spilled += before - unsent_free(pool);
	uring_bufs_give(&s->bufs, uring_queue_take(&s->bufs, &u->held));
	return true;
}

static void unspill(struct conn *c, size_t n)
{
	struct unsent_pool *pool = &c->worker->pool;
	struct uring_state *s = c->worker->state;
	uint32_t before = unsent_free(pool);

	unsent_pop(pool, &uring_of(c)->spilled, n);
	s->spilled -= unsent_free(pool) - before;
}

/* Delivers a span that does not stay where it is. */
static void deliver_copy(struct conn *c, const char *span, size_t n)
{
	enum conn_action action = conn_data(c, span, n);

	if (action == CONN_ECHO)
		uring_echo_copy(c, span, n);
	else if (action == CONN_SEND)
		uring_send(c);
}

/* Delivered from a copy, since its block of the pool may be needed for its own echo. */
static void deliver_spilled(struct conn *c, size_t n)
{
	struct uring_state *s = c->worker->state;
	struct iovec v;

	unsent_peek(&uring_of(c)->spilled, &v, 1);
	memcpy(s->block, v.iov_base, n);
	unspill(c, n);
	deliver_copy(c, s->block, n);
}

/* Delivers all of a buffer that is in no queue. */
static void deliver_buffer(struct conn *c, uint32_t id)
{
	struct uring_state *s = c->worker->state;
	const struct uring_span *b = &s->bufs.spans[id];

	enum conn_action action = conn_data(c, uring_bufs_at(&s->bufs, id) + b->off, b->len);

	if (action == CONN_ECHO) {
		uring_echo_buffer(c, id);
		return;
	}
	uring_bufs_give(&s->bufs, id);
	if (action == CONN_SEND)
		uring_send(c);
}

/* Delivers the first @n held bytes, which lie in one buffer. */
static void deliver_held(struct conn *c, size_t n)
{
	struct uring_state *s = c->worker->state;
	struct uring_conn *u = uring_of(c);
	struct uring_span *b = &s->bufs.spans[u->held.first];
	const char *at = uring_bufs_at(&s->bufs, u->held.first) + b->off;

	if (n == b->len) {
		deliver_buffer(c, uring_queue_take(&s->bufs, &u->held));
		return;
	}
	b->off += (uint32_t)n;
	b->len -= (uint32_t)n;
	deliver_copy(c, at, n);
}

static void tick_clock(struct conn *c)
{
	struct uring_state *s = c->worker->state;

	if (++s->deliveries % CLOCK_EVERY == 0)
		c->worker->now_ns = clock_now_ns();
}

/* Delivers what is held, as far as there is room for what comes back. */
static void deliver_held_bytes(struct conn *c)
{
	struct uring_conn *u = uring_of(c);

	while (c->state == CONN_OPEN && holds_bytes(c)) {
		size_t n = size_min(held_len(c), room_to_deliver(c));

		if (n == 0) { /* the end of the send in flight makes room */
			if (conn_unsent(c) < c->worker->config->max_unsent)
				worker_starved(c->worker);
			return;
		}
		tick_clock(c);
		if (u->spilled.len > 0)
			deliver_spilled(c, n);
		else
			deliver_held(c, n);
		c->owing = holds_bytes(c);
	}
	if (c->state != CONN_OPEN || !u->eof || c->eof)
		return;
	conn_eof(c);
}

/* @how: RECEIVE_MULTI, or RECEIVE_ONCE of at most @max bytes. */
static void arm_recv(struct conn *c, enum uring_receiving how, size_t max)
{
	struct uring_state *s = c->worker->state;
	struct io_uring_sqe *sqe = uring_sqe(s);

	if (how == RECEIVE_MULTI)
		io_uring_prep_recv_multishot(sqe, c->fd, NULL, 0, 0);
	else
		io_uring_prep_recv(sqe, c->fd, NULL, size_min(max, s->bufs.size), 0);
	c->came_ns = c->worker->now_ns;
	uring_of(c)->receiving = (uint8_t)how;
	uring_of(c)->brought = false;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	/* wait for bytes before a buffer is asked for: an empty ring would end it at once */
	sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
	uring_track(c, sqe, URING_RECV);
}

static void arm_poll(struct conn *c)
{
	struct io_uring_sqe *sqe = uring_sqe(c->worker->state);

	io_uring_prep_poll_add(sqe, c->fd, uring_of(c)->full ? POLLOUT : POLLIN | POLLRDHUP);
	uring_track(c, sqe, URING_RECV);
	uring_of(c)->receiving = RECEIVE_POLL;
}

/* How @c should receive now, and for RECEIVE_ONCE at most how much (*max).
 *
 * A multishot receive that is woken for bytes and for the reset behind them at once takes the bytes
 * and forgets the reset (seen on 6.18: it loses wakes that were counted together, unless the socket
 * says that more is there, which it does for a FIN of TCP alone). So there is one only where
 * something else tells: the send that follows, or the watch of one that we dialed. */
static enum uring_receiving wanted_recv(const struct conn *c, size_t *max)
{
	const struct uring_state *s = c->worker->state;
	const size_t unsent = c->out.len + c->lent_len;
	bool behind = c->worker->role->echoes && unsent > 0 &&
		      unsent >= c->worker->config->max_unsent / 2;

	if (holds_bytes(c))
		return RECEIVE_NONE;
	if (c->fin || uring_of(c)->dead) {
		*max = s->bufs.size;
		return RECEIVE_ONCE;
	}
	if (!behind && !uring_of(c)->single)
		return RECEIVE_MULTI;
	*max = behind ? room_to_deliver(c) : s->bufs.size;
	return *max > 0 ? RECEIVE_ONCE : RECEIVE_NONE;
}

/* @its_turn: it has waited for a buffer. Else, while they are scarce, it does not overtake others.
 */
static void update_recv(struct conn *c, bool its_turn)
{
	struct uring_state *s = c->worker->state;
	struct uring_conn *u = uring_of(c);
	enum uring_receiving wanted;
	size_t max = 0;

	if (c->state != CONN_OPEN || u->eof)
		return;
	wanted = wanted_recv(c, &max);
	if (u->receiving == RECEIVE_MULTI && wanted != RECEIVE_MULTI && !u->cancelling) {
		u->cancelling = true;
		uring_cancel(c->worker->state, conn_token(c, URING_RECV));
	}
	if (u->receiving != RECEIVE_NONE)
		return;
	if (wanted == RECEIVE_NONE) {
		if (!u->paused)
			stats_add(&c->worker->stats.paused, 1);
		u->paused = true;
		return;
	}
	u->paused = false;
	if (must_pass(c)) {
		list_remove(&u->link);
		arm_poll(c);
	} else if (!list_linked(&u->link)) {
		if (its_turn || s->scarce == 0)
			arm_recv(c, wanted, max);
		else
			uring_await_buffer(s, u);
	}
}

void uring_update_recv(struct conn *c)
{
	update_recv(c, false);
}

void uring_resume_recv(struct conn *c)
{
	update_recv(c, true);
}

/* New bytes queue behind those that are held. Mostly none are, and the buffer is delivered at once.
 */
static void deliver_or_hold(struct conn *c, uint32_t id)
{
	struct uring_state *s = c->worker->state;
	struct uring_conn *u = uring_of(c);

	if (c->state == CONN_OPEN && !holds_bytes(c) &&
	    room_to_deliver(c) >= s->bufs.spans[id].len) {
		tick_clock(c);
		deliver_buffer(c, id);
		return;
	}
	uring_queue_put(&s->bufs, &u->held, id);
	c->owing = true;
	deliver_held_bytes(c);
	while (c->state == CONN_OPEN && u->held.count > 0 && uring_bufs_scarce(&s->bufs))
		if (!spill_one(c))
			break;
}

/* Its socket has failed. */
static void conn_broke(struct conn *c, int err)
{
	if (c->state == CONN_MOVING)
		uring_of(c)->failed = err;
	else
		conn_fail(c, err);
}

static void receive_ended(struct conn *c, int res)
{
	struct uring_state *s = c->worker->state;
	struct uring_conn *u = uring_of(c);

	if (res == -ENOBUFS) {
		stats_add(&c->worker->stats.no_buffer, 1);
		uring_no_buffer(s);
		if (c->state == CONN_OPEN)
			uring_await_buffer(s, u);
	} else if (res == 0) {
		u->eof = true;
		deliver_held_bytes(c);
	} else if (res != -ECANCELED && res != -EINTR && res != -EAGAIN) {
		conn_broke(c, -res);
	}
}

/* The poll of a connection that is served without buffers has ended. */
static void poll_ended(struct conn *c, int res)
{
	const struct uring_bufs *b = &((const struct uring_state *)c->worker->state)->bufs;
	struct uring_conn *u = uring_of(c);
	ssize_t n = res < 0 && res != -ECANCELED ? res : (ssize_t)b->size;

	if (c->state == CONN_MOVING)
		return; /* the process that serves it next polls its socket anew */
	for (int i = 0; i < PASS_BUDGET && n == (ssize_t)b->size && c->state == CONN_OPEN; i++) {
		tick_clock(c);
		n = pass_step(c, b->scratch, b->size);
	}
	if (c->state != CONN_OPEN)
		return;
	u->full = n == PASS_FULL;
	if (n == 0) {
		u->eof = true;
		deliver_held_bytes(c);
	} else if (n < 0 && n != -EAGAIN && n != PASS_FULL) {
		conn_fail(c, (int)-n);
	}
}

void uring_received(struct conn *c, const struct io_uring_cqe *cqe)
{
	struct uring_state *s = c->worker->state;
	struct uring_conn *u = uring_of(c);
	uint32_t id = URING_NONE;

	if (u->receiving == RECEIVE_POLL) {
		u->receiving = RECEIVE_NONE;
		poll_ended(c, cqe->res);
		uring_update_recv(c);
		return;
	}
	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		if (u->receiving == RECEIVE_MULTI && cqe->res > 0)
			uring_no_room(s);
		u->receiving = RECEIVE_NONE;
		u->cancelling = false;
	}
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
		uring_bufs_take(&s->bufs, id, cqe->res > 0 ? (uint32_t)cqe->res : 0);
		u->brought = true;
	}
	c->more = (cqe->flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
	if (cqe->res > 0 && c->state != CONN_CLOSING) {
		deliver_or_hold(c, id);
	} else if (id != URING_NONE) {
		uring_bufs_give(&s->bufs, id);
		c->owing |= cqe->res > 0 && !c->fin; /* unread, they would make close reset, too */
	}
	if (cqe->res <= 0 && c->state != CONN_CLOSING)
		receive_ended(c, cqe->res);
	uring_update_recv(c);
}

void uring_catch_up(struct conn *c)
{
	deliver_held_bytes(c);
	uring_update_recv(c);
}

void uring_sent(struct conn *c, const struct io_uring_cqe *cqe)
{
	uring_send_completed(c, cqe->res);
	uring_catch_up(c); /* there is more room */
}

/* ---- the end ---- */

void uring_shutdown(struct conn *c)
{
	/* the only errors are those of a dead socket, which the receive will name */
	(void)shutdown(c->fd, SHUT_WR);
	conn_fin_sent(c);
	uring_update_recv(c);
}

/* Gives back the buffers of a queue, but the first one if @keep_first. */
static void drop_buffers(struct uring_bufs *b, struct uring_queue *q, bool keep_first)
{
	uint32_t first = keep_first ? uring_queue_take(b, q) : URING_NONE;

	while (q->count > 0)
		uring_bufs_give(b, uring_queue_take(b, q));
	if (keep_first)
		uring_queue_put(b, q, first);
}

/* Gives back all buffers that no send in flight reads from. */
static void close_buffers(struct conn *c)
{
	struct uring_state *s = c->worker->state;
	struct uring_conn *u = uring_of(c);

	unspill(c, u->spilled.len);
	s->lent -= c->lent_len;
	drop_buffers(&s->bufs, &u->lent, u->sending == SEND_LENT);
	drop_buffers(&s->bufs, &u->held, false);
}

void uring_cancel_all(struct conn *c)
{
	struct uring_state *s = c->worker->state;
	const struct uring_conn *u = uring_of(c);

	if (u->receiving)
		uring_cancel(s, conn_token(c, URING_RECV));
	if (u->sending)
		uring_cancel(s, conn_token(c, URING_SEND));
	if (u->polling)
		uring_cancel(s, conn_token(c, URING_POLL));
}

/* The kernel found nothing to cancel. Mostly the operation has completed. But a send whose poll has
 * just woken is not found either (ENOENT, Linux 6.18), and may wait again, for a peer that never
 * reads: so it is cancelled again. */
void uring_not_cancelled(struct worker *w, const struct io_uring_cqe *cqe)
{
	struct conn *c = cqe->res == -ENOENT ? conn_find(w, cqe->user_data) : NULL;

	if (c && (c->state == CONN_MOVING || (c->state == CONN_CLOSING && uring_of(c)->closing)))
		uring_cancel_all(c);
}

void uring_close(struct conn *c)
{
	struct uring_conn *u = uring_of(c);

	assert(!u->closing);
	list_remove(&u->link);
	close_buffers(c);
	u->closing = true;
	uring_cancel_all(c);
	if (c->inflight == 0)
		uring_unregister_fd(c);
}
