/* SPDX-License-Identifier: MIT
 * epoll: edge-triggered readiness. A connection is registered once for everything and never
 * modified; what it was told and could not use yet is remembered in two bits.
 *
 * Bytes are received into the worker's one scratch buffer and sent on from there. What the socket
 * refuses goes to the connection's queue, and a receive is never larger than what could be queued,
 * so that bytes are never lost and nobody is closed for want of room. A connection that still has
 * something to do when its budget is spent waits in the ready list; one that waits for the shared
 * pool waits in the starved list.
 */
#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "echo/acceptor.h"
#include "echo/backend.h"
#include "echo/base.h"
#include "echo/clock.h"
#include "echo/opt.h"
#include "echo/worker.h"

enum {
	EVENTS = 256, /* of one wait */
	BUDGET = 16,  /* receives of one connection before it is others' turn */
	FLUSH_VECTORS = 16,
	CLOCK_EVERY = 16, /* deliveries between two readings of the clock */
};

/* ops of tokens that are no connection's */
enum { OP_CONN, OP_LISTENER, OP_WAKE };

struct epoll_config {
	uint64_t buffer;
};

static const struct opt epoll_opts[] = {
	OPT_SIZE(epoll_config, buffer, "64Ki", 1, 16 << 20,
		 "largest single receive, one buffer for each worker"),
	OPT_END,
};

/* What the backend keeps of a connection. */
struct epoll_conn {
	struct conn *next, **link; /* in the ready or the starved list; link NULL: in neither */
	bool readable;             /* may have more to receive: only recv knows */
	bool hung; /* FIN or an error is there: a short receive is not the end of it */
};

struct epoll_list {
	struct conn *first, **last;
};

struct epoll_state {
	int fd;
	char *scratch;
	size_t scratch_len;
	unsigned deliveries;
	struct epoll_list ready;   /* have something to do that no event will announce */
	struct epoll_list starved; /* wait for room in the pool */
	struct acceptor acceptors[WORKER_LISTENERS_MAX];
	struct epoll_event events[EVENTS];
};

static struct epoll_conn *epoll_of(const struct conn *c)
{
	return conn_backend(c);
}

static void list_init(struct epoll_list *l)
{
	l->first = NULL;
	l->last = &l->first;
}

static void list_remove(struct epoll_state *s, struct conn *c)
{
	struct epoll_conn *e = epoll_of(c);

	if (!e->link)
		return;
	if (e->next)
		epoll_of(e->next)->link = e->link;
	else if (s->ready.last == &e->next)
		s->ready.last = e->link;
	else
		s->starved.last = e->link;
	*e->link = e->next;
	e->link = NULL;
}

static void list_move(struct epoll_state *s, struct epoll_list *to, struct conn *c)
{
	struct epoll_conn *e = epoll_of(c);

	list_remove(s, c);
	e->next = NULL;
	e->link = to->last;
	*to->last = c;
	to->last = &e->next;
}

/* How much may be received now; 0: nothing until the queue or the pool has drained. */
static size_t epoll_may_receive(const struct conn *c)
{
	const struct worker *w = c->worker;
	const struct epoll_state *s = w->state;
	size_t room;

	if (!w->role->sends_lent || c->fin)
		return s->scratch_len;
	if (c->out.len >= w->config->max_unsent)
		return 0;
	room = size_min(w->config->max_unsent - c->out.len, unsent_room(&w->pool, &c->out));
	return size_min(room, s->scratch_len);
}

/* Nothing may be received: whose turn is it to change that? */
static void epoll_wait_for_room(struct conn *c)
{
	struct epoll_state *s = c->worker->state;

	if (c->out.len > 0)
		return; /* the flush that empties it resumes reading */
	stats_add(&c->worker->stats.starved, 1);
	list_move(s, &s->starved, c);
}

static void epoll_tick(struct worker *w)
{
	struct epoll_state *s = w->state;

	if (++s->deliveries % CLOCK_EVERY == 0)
		w->now_ns = clock_now_ns();
}

/* Receives until the socket is empty, the role has enough, or the budget is spent. */
static void epoll_read(struct conn *c)
{
	struct epoll_state *s = c->worker->state;
	struct epoll_conn *e = epoll_of(c);

	for (int i = 0; c->state == CONN_OPEN && e->readable && !c->paused; i++) {
		size_t want = epoll_may_receive(c);
		ssize_t n;

		if (want == 0) {
			epoll_wait_for_room(c);
			return;
		}
		if (i == BUDGET) {
			list_move(s, &s->ready, c);
			return;
		}
		n = recv(c->fd, s->scratch, want, 0);
		if (n > 0) {
			e->readable = (size_t)n == want || e->hung;
			epoll_tick(c->worker);
			conn_data(c, s->scratch, (size_t)n);
		} else if (n == 0) {
			e->readable = false;
			conn_eof(c);
		} else if (errno == EAGAIN) {
			e->readable = false;
		} else if (errno != EINTR) {
			conn_fail(c, errno);
		}
	}
}

/* Sends as much as the socket takes. Returns the number of bytes, 0 if it is full or the connection
 * has failed. */
static size_t epoll_push(struct conn *c, const struct iovec *v, int count)
{
	const struct msghdr m = { .msg_iov = (struct iovec *)(uintptr_t)v,
				  .msg_iovlen = (size_t)count };
	ssize_t n;

	do {
		n = count == 1 ? send(c->fd, v->iov_base, v->iov_len, MSG_NOSIGNAL)
			       : sendmsg(c->fd, &m, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		if (errno != EAGAIN)
			conn_fail(c, errno);
		return 0;
	}
	c->sent += (size_t)n;
	stats_add(&c->worker->stats.bytes_out, (uint64_t)n);
	return (size_t)n;
}

static void epoll_flush_out(struct conn *c)
{
	struct iovec v[FLUSH_VECTORS];
	size_t n;

	do {
		n = epoll_push(c, v, unsent_peek(&c->out, v, FLUSH_VECTORS));
		unsent_pop(&c->worker->pool, &c->out, n);
	} while (n > 0 && c->out.len > 0);
}

static void epoll_flush_feed(struct conn *c)
{
	size_t n;

	do {
		const struct iovec v = { (void *)(uintptr_t)c->feed, c->feed_len };

		n = epoll_push(c, &v, 1);
		c->feed += n;
		c->feed_len -= n;
	} while (n > 0 && c->feed_len > 0);
}

/* The socket takes bytes again. */
static void epoll_flush(struct conn *c)
{
	struct epoll_state *s = c->worker->state;

	if (conn_unsent(c) == 0)
		return;
	if (c->out.len > 0)
		epoll_flush_out(c);
	else
		epoll_flush_feed(c);
	if (c->state != CONN_OPEN || conn_unsent(c) > 0)
		return;
	conn_drained(c);
	if (c->state == CONN_OPEN && epoll_of(c)->readable && !epoll_of(c)->link)
		list_move(s, &s->ready, c);
}

static void epoll_dialed(struct conn *c, uint32_t events)
{
	int r = sock_connected(c->fd);

	if (r < 0)
		conn_fail(c, -r);
	else if (events & EPOLLOUT)
		conn_opened(c);
}

static void epoll_event(struct worker *w, const struct epoll_event *ev)
{
	struct conn *c = conn_find(w, ev->data.u64);
	struct epoll_conn *e;

	if (!c)
		return; /* closed earlier in this batch */
	e = epoll_of(c);
	if (c->state == CONN_DIALING)
		epoll_dialed(c, ev->events);
	if (ev->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		e->hung = true;
	if ((ev->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) && !c->eof)
		e->readable = true; /* whatever it is, recv names it; after the FIN only send can */
	if (c->state == CONN_OPEN && (ev->events & EPOLLOUT))
		epoll_flush(c);
	if (c->state == CONN_OPEN)
		epoll_read(c);
}

/* One pass over those that were ready when it began. */
static void epoll_run_ready(struct worker *w)
{
	struct epoll_state *s = w->state;
	struct conn *last = NULL, *c;

	if (!s->ready.first)
		return;
	for (c = s->ready.first; c; c = epoll_of(c)->next)
		last = c;
	do {
		c = s->ready.first;
		list_remove(s, c);
		epoll_read(c);
	} while (c != last && s->ready.first);
}

static void epoll_feed_starved(struct worker *w)
{
	struct epoll_state *s = w->state;

	/* each of them may take all the room there is: one at a time */
	while (s->starved.first && !s->ready.first && epoll_may_receive(s->starved.first) > 0)
		list_move(s, &s->ready, s->starved.first);
}

static void epoll_dispatch(struct worker *w, const struct epoll_event *ev)
{
	struct epoll_state *s = w->state;
	uint64_t drop;

	switch (conn_token_op(ev->data.u64)) {
	case OP_CONN:
		epoll_event(w, ev);
		break;
	case OP_LISTENER:
		acceptor_run(&s->acceptors[(uint32_t)ev->data.u64]);
		break;
	default:
		while (read(w->wake_fd, &drop, sizeof(drop)) < 0 && errno == EINTR)
			;
	}
}

/* epoll_wait counts milliseconds; rounding up keeps timers from being early. */
static int epoll_timeout_ms(int64_t wait_ns)
{
	if (wait_ns < 0)
		return -1;
	if (wait_ns > SEC(3600))
		return 3600 * 1000; /* an early return is harmless */
	return (int)((wait_ns + MSEC(1) - 1) / MSEC(1));
}

/* Looks without sleeping for as long as busy_poll says, then sleeps. */
static int epoll_wait_events(struct worker *w, int64_t wait_ns)
{
	struct epoll_state *s = w->state;
	int64_t busy_ns = w->config->busy_poll_ns, until_ns;
	int n;

	if (wait_ns >= 0 && wait_ns < busy_ns)
		busy_ns = wait_ns;
	if (busy_ns > 0) {
		until_ns = clock_now_ns() + busy_ns;
		do {
			n = epoll_wait(s->fd, s->events, EVENTS, 0);
		} while (n == 0 && clock_now_ns() < until_ns);
		if (n != 0)
			return n;
	}
	return epoll_wait(s->fd, s->events, EVENTS, epoll_timeout_ms(wait_ns));
}

static int epoll_turn(struct worker *w, int64_t wait_ns)
{
	struct epoll_state *s = w->state;
	int n;

	epoll_feed_starved(w); /* the last turn may have given room back, or closed who had it */
	n = epoll_wait_events(w, s->ready.first ? 0 : wait_ns);
	if (n < 0 && errno != EINTR)
		return -errno;
	w->now_ns = clock_now_ns();
	for (int i = 0; i < n; i++)
		epoll_dispatch(w, &s->events[i]);
	epoll_run_ready(w);
	return 0;
}

static int epoll_add(const struct worker *w, int fd, uint32_t events, uint64_t token)
{
	const struct epoll_state *s = w->state;
	struct epoll_event ev = { .events = events, .data.u64 = token };

	return epoll_ctl(s->fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static int epoll_add_conn(struct conn *c)
{
	return epoll_add(c->worker, c->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
			 conn_token(c, OP_CONN));
}

static void epoll_take(struct worker *w, int fd)
{
	struct conn *c = conn_accept(w, fd);
	int r;

	if (!c)
		return;
	r = epoll_add_conn(c);
	if (r < 0)
		conn_fail(c, -r);
	else
		conn_opened(c);
}

static void epoll_mute(struct acceptor *a)
{
	const struct epoll_state *s = a->worker->state;
	uint64_t token = (uint64_t)OP_LISTENER << 56 | (uint64_t)(a - s->acceptors);

	if (a->muted)
		(void)epoll_ctl(s->fd, EPOLL_CTL_DEL, a->fd, NULL);
	else if (epoll_add(a->worker, a->fd, EPOLLIN, token) < 0)
		acceptor_failed(a, ENOMEM); /* mutes it again, for a while */
}

static int epoll_listen(struct worker *w, int fd)
{
	struct epoll_state *s = w->state;

	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++) {
		struct acceptor *a = &s->acceptors[i];

		if (a->fd >= 0)
			continue;
		a->take = epoll_take;
		a->mute = epoll_mute;
		acceptor_init(a, w, fd);
		return epoll_add(w, fd, EPOLLIN, (uint64_t)OP_LISTENER << 56 | i);
	}
	return -ENOSPC;
}

static void epoll_unlisten(struct worker *w, int fd)
{
	struct epoll_state *s = w->state;

	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++) {
		if (s->acceptors[i].fd != fd)
			continue;
		acceptor_finish(&s->acceptors[i]);
		if (!s->acceptors[i].muted)
			(void)epoll_ctl(s->fd, EPOLL_CTL_DEL, fd, NULL);
		acceptor_fini(&s->acceptors[i]);
	}
}

static void epoll_send(struct conn *c, const void *span, size_t len)
{
	const struct iovec v = { (void *)(uintptr_t)span, len };
	size_t n = c->out.len == 0 ? epoll_push(c, &v, 1) : 0;
	int r;

	if (n == len || c->state != CONN_OPEN)
		return;
	r = unsent_push(&c->worker->pool, &c->out, (const char *)span + n, len - n);
	assert(r == 0); /* epoll_may_receive left room */
	(void)r;
}

static void epoll_feed(struct conn *c)
{
	epoll_flush_feed(c);
}

static void epoll_pause(struct conn *c)
{
	struct epoll_state *s = c->worker->state;

	if (!c->paused && epoll_of(c)->readable)
		list_move(s, &s->ready, c);
}

static void epoll_shutdown(struct conn *c)
{
	/* the only errors are those of a dead socket, which recv will name */
	(void)shutdown(c->fd, SHUT_WR);
	conn_fin_sent(c);
}

static void epoll_close(struct conn *c)
{
	list_remove(c->worker->state, c); /* closing the descriptor ends its registration */
}

static int epoll_probe(const char **why)
{
	(void)why;
	return 0;
}

static int epoll_init(struct worker *w)
{
	struct epoll_state *s = w->state;
	const struct epoll_config *config = w->config->backend_config;
	int r;

	list_init(&s->ready);
	list_init(&s->starved);
	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++)
		s->acceptors[i].fd = -1;
	s->scratch_len = config->buffer;
	s->scratch = mmap(NULL, s->scratch_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (s->scratch == MAP_FAILED)
		return -ENOMEM;
	s->fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->fd < 0) {
		r = -errno;
		goto out_unmap;
	}
	r = epoll_add(w, w->wake_fd, EPOLLIN, (uint64_t)OP_WAKE << 56);
	if (r < 0)
		goto out_close;
	return 0;
out_close:
	close(s->fd);
out_unmap:
	munmap(s->scratch, s->scratch_len);
	return r;
}

static void epoll_fini(struct worker *w)
{
	struct epoll_state *s = w->state;

	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++) {
		if (s->acceptors[i].fd >= 0)
			acceptor_fini(&s->acceptors[i]);
	}
	close(s->fd);
	munmap(s->scratch, s->scratch_len);
}

const struct backend_ops backend_epoll = {
	.name = "epoll",
	.help = "edge-triggered readiness, one scratch buffer per worker",
	.caps = BACKEND_ACCEPT | BACKEND_CONNECT,
	.state_size = sizeof(struct epoll_state),
	.conn_size = sizeof(struct epoll_conn),
	.opts = epoll_opts,
	.config_size = sizeof(struct epoll_config),
	.probe = epoll_probe,
	.init = epoll_init,
	.fini = epoll_fini,
	.turn = epoll_turn,
	.listen = epoll_listen,
	.unlisten = epoll_unlisten,
	.dial = epoll_add_conn,
	.send = epoll_send,
	.feed = epoll_feed,
	.pause = epoll_pause,
	.shutdown = epoll_shutdown,
	.close = epoll_close,
};
