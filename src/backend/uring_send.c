/* SPDX-License-Identifier: MIT
 * uring_send: what a connection of the io_uring backend sends. One send is in flight at most, since
 * two may overtake each other. What arrives meanwhile waits behind it: in the buffer that it came
 * in, as long as the worker has enough of those, else in the connection's queue of unsent bytes.
 */
#include <assert.h>
#include <errno.h>

#include "echo/base/base.h"
#include "uring_private.h"

enum {
	SMALL = 4096,       /* a piece that has to wait is copied, if it is not larger */
	SPAN_MAX = 1 << 30, /* of one send */
};

static void send_span(struct conn *c, const void *span, size_t len)
{
	struct io_uring_sqe *sqe = uring_sqe(c->worker->state);

	/* no WAITALL, which would wait for room by itself: an error after that is swallowed (the
	 * count so far is reported, and the socket's errno is gone) and after 128 waits the kernel
	 * moves the request to a thread that blocks */
	io_uring_prep_send(sqe, c->fd, span, len, MSG_NOSIGNAL);
	uring_track(c, sqe, URING_SEND);
}

static void send_out(struct conn *c)
{
	struct uring_state *s = c->worker->state;
	struct uring_message *m;
	struct io_uring_sqe *sqe;
	struct iovec v;

	if (s->messages == URING_MESSAGES)
		uring_submit(s);
	if (unsent_peek(&c->out, &v, 1) == 1 &&
	    (v.iov_len == c->out.len || s->messages == URING_MESSAGES)) {
		send_span(c, v.iov_base, v.iov_len);
		return;
	}
	sqe = uring_sqe(s); /* may submit, which frees all messages: first */
	m = &s->message[s->messages++];
	m->head = (struct msghdr){ .msg_iov = m->v };
	m->head.msg_iovlen = (size_t)unsent_peek(&c->out, m->v, URING_VECTORS);
	io_uring_prep_sendmsg(sqe, c->fd, &m->head, MSG_NOSIGNAL);
	uring_track(c, sqe, URING_SEND);
}

/* Entering the table of files and leaving it takes two calls, which pay only for a connection that
 * sends more than once; the receive asks for its file but once. */
static void enter_files(struct conn *c)
{
	if (c->sent > 0 && !uring_of(c)->entered)
		uring_register_fd(c);
}

/* Sends the oldest bytes, unless a send is in flight. */
static void send_next(struct conn *c)
{
	const struct uring_state *s = c->worker->state;
	struct uring_conn *u = uring_of(c);

	if (u->sending || u->send_failed)
		return;
	enter_files(c);
	if (u->lent.count > 0) {
		const struct uring_span *span = &s->bufs.spans[u->lent.first];

		u->sending = SEND_LENT;
		send_span(c, uring_bufs_at(&s->bufs, u->lent.first) + span->off, span->len);
	} else if (c->out.len > 0) {
		u->sending = SEND_OUT;
		send_out(c);
	} else if (c->span_len > 0) {
		u->sending = SEND_SPAN;
		send_span(c, c->span, size_min(c->span_len, SPAN_MAX));
	}
}

/* Whether an echo may be sent from the buffer that it came in. It must be where the pool has no
 * room for a copy and the connection owes nothing: then it is sent at once, or it is the only
 * buffer that this peer can hold up. */
static bool send_may_lend(const struct conn *c, size_t len)
{
	const struct uring_state *s = c->worker->state;
	const struct uring_conn *u = uring_of(c);

	if (c->out.len == 0 && !uring_bufs_scarce(&s->bufs) &&
	    (u->lent.count == 0 || len > SMALL) && u->lent.count < s->conn_buffers)
		return true;
	return conn_unsent(c) == 0 && unsent_room(&c->worker->pool, &c->out) < len;
}

void uring_echo_copy(struct conn *c, const void *span, size_t len)
{
	int r = unsent_push(&c->worker->pool, &c->out, span, len);

	assert(r == 0); /* room_to_deliver left room */
	(void)r;
	send_next(c);
}

void uring_echo_buffer(struct conn *c, uint32_t id)
{
	struct uring_state *s = c->worker->state;
	const struct uring_span *b = &s->bufs.spans[id];
	uint32_t len = b->len;

	if (!send_may_lend(c, len)) {
		uring_echo_copy(c, uring_bufs_at(&s->bufs, id) + b->off, len);
		uring_bufs_give(&s->bufs, id);
		return;
	}
	uring_queue_put(&s->bufs, &uring_of(c)->lent, id);
	s->lent += len;
	c->lent_len += len;
	send_next(c);
}

void uring_send(struct conn *c)
{
	send_next(c);
}

/* @n bytes of what is lent have gone. */
static void sent_lent(struct conn *c, size_t n)
{
	struct uring_state *s = c->worker->state;
	struct uring_conn *u = uring_of(c);
	struct uring_span *b = &s->bufs.spans[u->lent.first];

	assert(n <= b->len);
	b->off += (uint32_t)n;
	b->len -= (uint32_t)n;
	c->lent_len -= n;
	if (!u->closing)
		s->lent -= n; /* else uring_close has */
	if (b->len == 0 || u->closing)
		uring_bufs_give(&s->bufs, uring_queue_take(&s->bufs, &u->lent));
}

/* Single receives find what was received, and how that ends. */
static void send_failed(struct conn *c, int err)
{
	conn_send_failed(c, err);
	uring_of(c)->send_failed = true;
	uring_conn_died(c);
}

/* Whether a send ended because it was cancelled, and has sent nothing. In a thread of the kernel's,
 * where one goes that was woken in vain too often (a peer's FIN does that), it is interrupted. */
static bool send_cancelled(int res)
{
	return res == -ECANCELED || res == -EINTR;
}

/* @n bytes have gone of what was being sent. */
static void account_sent(struct conn *c, size_t n)
{
	struct uring_conn *u = uring_of(c);
	enum uring_sending what = u->sending;

	u->sending = SEND_NONE;
	c->sent += n;
	stats_add(&c->worker->stats.bytes_out, n);
	if (what == SEND_LENT) {
		sent_lent(c, n);
	} else if (what == SEND_OUT) {
		unsent_pop(&c->worker->pool, &c->out, n);
	} else {
		c->span += n;
		c->span_len -= n;
	}
}

void uring_send_completed(struct conn *c, int res)
{
	account_sent(c, res > 0 ? (size_t)res : 0);
	if (c->state == CONN_MOVING && res <= 0 && !send_cancelled(res))
		uring_of(c)->failed = res < 0 ? -res : EPIPE;
	if (c->state != CONN_OPEN)
		return;
	if (res <= 0 && !send_cancelled(res)) /* for a move, which did not come about */
		send_failed(c, res < 0 ? -res : EPIPE);
	else if (conn_unsent(c) > 0)
		send_next(c);
	else
		conn_drained(c);
}
