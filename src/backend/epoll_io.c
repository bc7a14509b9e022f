/* SPDX-License-Identifier: MIT
 * epoll_io: receives into the worker's one scratch buffer and sends on from there.
 *
 * What the socket refuses goes to the connection's queue, and a receive is never larger than what
 * could be queued: bytes are never lost and no connection is closed for want of room. Where the
 * pool has none, a connection that owes nothing is served without it (pass.h), and one that owes
 * waits for its own socket. A connection that still has something to do when its budget is spent
 * waits in the ready list.
 */
#include <assert.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "epoll_private.h"
#include "pass.h"

enum {
	BUDGET = 16, /* receives of one connection before it is others' turn */
	FLUSH_VECTORS = 16,
	CLOCK_EVERY = 16, /* deliveries between two readings of the clock */
};

/* recv and send, but no cancellation points: libc's own, in a program of several threads, cost an
 * echo four atomic operations (glibc before 2.41), 25 ns. */
static ssize_t io_recv(int fd, void *to, size_t len)
{
	return syscall(SYS_recvfrom, fd, to, len, 0, NULL, NULL);
}

static ssize_t io_send(int fd, const void *from, size_t len)
{
	return syscall(SYS_sendto, fd, from, len, MSG_NOSIGNAL, NULL, 0);
}

static struct conn *of_link(struct list *link)
{
	return conn_of_backend(container_of(link, struct epoll_conn, link));
}

/* What could be queued of what comes back: the queue or the pool holds something. */
static size_t epoll_room(const struct conn *c)
{
	const struct worker *w = c->worker;
	const struct epoll_state *s = w->state;
	size_t room;

	if (!w->role->echoes || c->fin)
		return s->scratch_len;
	if (c->out.len >= w->config->max_unsent)
		return 0;
	room = size_min(w->config->max_unsent - c->out.len, unsent_room(&w->pool, &c->out));
	return size_min(room, s->scratch_len);
}

/* How much may be received now; 0: nothing until the queue or the pool has drained. */
static inline size_t epoll_may_receive(const struct conn *c)
{
	const struct epoll_state *s = c->worker->state;

	if (c->out.len == 0 && unsent_free(&c->worker->pool) >= s->ample)
		return s->scratch_len;
	return epoll_room(c);
}

static void epoll_tick(struct worker *w)
{
	struct epoll_state *s = w->state;

	if (++s->deliveries % CLOCK_EVERY == 0)
		w->now_ns = clock_now_ns();
}

static void epoll_send_failed(struct conn *c, int err)
{
	struct epoll_state *s = c->worker->state;

	conn_send_failed(c, err);
	if (c->state != CONN_OPEN)
		return;
	c->backend_flags |= EPOLL_READABLE | EPOLL_TO_EAGAIN;
	list_append(&s->ready, &epoll_of(c)->link);
}

/* A send returned @n. Returns the number of bytes that the socket took, 0 if it is full or the
 * connection has failed. */
static inline size_t epoll_took(struct conn *c, ssize_t n)
{
	if (n < 0) {
		if (errno != EAGAIN)
			epoll_send_failed(c, errno);
		return 0;
	}
	c->sent += (size_t)n;
	stats_add(&c->worker->stats.bytes_out, (uint64_t)n);
	return (size_t)n;
}

static inline size_t epoll_push(struct conn *c, const void *span, size_t len)
{
	ssize_t n;

	do
		n = io_send(c->fd, span, len);
	while (n < 0 && errno == EINTR);
	return epoll_took(c, n);
}

static inline void epoll_flush_span(struct conn *c)
{
	size_t n;

	do {
		n = epoll_push(c, c->span, c->span_len);
		c->span += n;
		c->span_len -= n;
	} while (n > 0 && c->span_len > 0);
}

/* What was received goes back. */
static inline void epoll_echo(struct conn *c, const char *span, size_t len)
{
	size_t n = c->out.len == 0 ? epoll_push(c, span, len) : 0;
	int r;

	if (n == len)
		return;
	if (c->state != CONN_OPEN) {
		c->owing = true;
		return;
	}
	r = unsent_push(&c->worker->pool, &c->out, span + n, len - n);
	assert(r == 0); /* epoll_may_receive left room */
	(void)r;
}

/* A receive brought nothing. */
static void epoll_nothing(struct conn *c, ssize_t n)
{
	if (n < 0 && errno == EINTR)
		return;
	if (c->backend_flags & EPOLL_UNIX)
		c->came_ns = c->worker->now_ns;
	if (n < 0 && errno == EAGAIN && c->send_err) {
		conn_fail(c, c->send_err);
		return;
	}
	if (n == 0 || errno == EAGAIN)
		c->backend_flags &= (uint8_t) ~(EPOLL_READABLE | EPOLL_TO_EAGAIN);
	if (n == 0)
		conn_eof(c);
	else if (errno != EAGAIN)
		conn_fail(c, errno);
}

/* @n bytes came where @want could have: mostly that was all, and an event tells of more. */
static inline void epoll_came(struct conn *c, size_t n, size_t want)
{
	if (n < want && !(c->backend_flags & (EPOLL_TO_EAGAIN | EPOLL_UNIX)))
		c->backend_flags &= (uint8_t)~EPOLL_READABLE;
	epoll_tick(c->worker);
}

/* The pool has no room for this connection. Returns whether there may be more to do at once: else
 * its socket, which takes nothing now, announces when it does. */
static bool epoll_pass(struct conn *c)
{
	struct epoll_state *s = c->worker->state;
	ssize_t n;

	if (c->out.len > 0) { /* the flush that empties its queue resumes reading */
		if (!(c->backend_flags & EPOLL_PAUSED))
			stats_add(&c->worker->stats.paused, 1);
		c->backend_flags |= EPOLL_PAUSED;
		if (c->out.len < c->worker->config->max_unsent)
			stats_add(&c->worker->stats.starved, 1);
		return false;
	}
	if (c->backend_flags & EPOLL_FULL)
		return false;
	n = pass_step(c, s->scratch, s->scratch_len);
	if (n == PASS_FULL) {
		c->backend_flags |= EPOLL_FULL;
		return false;
	}
	if (n > 0) {
		epoll_came(c, (size_t)n, s->scratch_len);
		return true;
	}
	errno = (int)-n;
	epoll_nothing(c, n);
	return true;
}

/* One receive and what follows from it. Returns whether there may be more to do at once. */
static inline bool epoll_read_some(struct conn *c)
{
	struct epoll_state *s = c->worker->state;
	size_t want = epoll_may_receive(c);
	ssize_t n;

	if (want == 0)
		return epoll_pass(c);
	n = io_recv(c->fd, s->scratch, want);
	if (n <= 0) {
		epoll_nothing(c, n);
		return true;
	}
	epoll_came(c, (size_t)n, want);
	switch (conn_data(c, s->scratch, (size_t)n)) {
	case CONN_ECHO:
		epoll_echo(c, s->scratch, (size_t)n);
		break;
	case CONN_SEND:
		epoll_flush_span(c);
		break;
	default:
		break;
	}
	return true;
}

void epoll_read(struct conn *c)
{
	struct epoll_state *s = c->worker->state;

	for (int i = 0; (c->backend_flags & EPOLL_READABLE) && c->state == CONN_OPEN; i++) {
		if (i == BUDGET) {
			list_append(&s->ready, &epoll_of(c)->link);
			return;
		}
		if (!epoll_read_some(c)) {
			list_remove(&epoll_of(c)->link);
			return;
		}
	}
}

static void epoll_flush_out(struct conn *c)
{
	struct iovec v[FLUSH_VECTORS];
	struct msghdr m = { .msg_iov = v };
	size_t took;
	ssize_t n;

	do {
		m.msg_iovlen = (size_t)unsent_peek(&c->out, v, FLUSH_VECTORS);
		do
			n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
		while (n < 0 && errno == EINTR);
		took = epoll_took(c, n);
		unsent_pop(&c->worker->pool, &c->out, took);
	} while (took > 0 && c->out.len > 0);
}

void epoll_flush(struct conn *c)
{
	struct epoll_state *s = c->worker->state;

	if (c->out.len > 0)
		epoll_flush_out(c);
	else
		epoll_flush_span(c);
	if (c->state != CONN_OPEN || conn_unsent(c) > 0)
		return;
	c->backend_flags &= (uint8_t)~EPOLL_PAUSED;
	conn_drained(c);
	if (c->state == CONN_OPEN && (c->backend_flags & EPOLL_READABLE) &&
	    !list_linked(&epoll_of(c)->link))
		list_append(&s->ready, &epoll_of(c)->link);
}

void epoll_run_ready(struct worker *w)
{
	struct epoll_state *s = w->state;
	const struct list *last = list_last(&s->ready);
	struct list *link = NULL;

	while (link != last && !list_empty(&s->ready)) {
		link = list_first(&s->ready);
		list_remove(link);
		epoll_read(of_link(link));
	}
}

void epoll_send(struct conn *c)
{
	epoll_flush_span(c);
}

void epoll_shutdown(struct conn *c)
{
	/* the only errors are those of a dead socket, which recv will name */
	(void)shutdown(c->fd, SHUT_WR);
	conn_fin_sent(c);
}

void epoll_close(struct conn *c)
{
	list_remove(&epoll_of(c)->link); /* closing the descriptor ends its registration */
}
