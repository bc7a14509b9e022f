/* SPDX-License-Identifier: MIT
 * bare_uring: the smallest correct echo server and client on io_uring: the speed of light for
 * echolab's io_uring backend. One request accepts for ever, one per connection receives for ever
 * into buffers that all connections share; the server sends a buffer back as it lies and returns it
 * when the send completes. One send in flight a connection, since two may overtake each other; what
 * arrives meanwhile queues behind it. Needs Linux 6.1 (DEFER_TASKRUN) and liburing 2.3.
 */
#include "bare_client.h"
#include "bare_ring.h"

enum {
	MAX_QUEUED = 8, /* buffers one slow reader may pin; 32 such readers starve everybody */
	NONE = -1,
};

/* Indices chained in order of arrival: buffers of a connection, connections without a buffer. */
struct fifo {
	int first, last;
};

/* A slot is a descriptor, closed only when the kernel holds no request that names it. */
struct conn {
	struct fifo queue; /* buffers received; the first one is being sent */
	int queued;
	bool receiving, sending, starved; /* starved: in the list of those that wait for a buffer */
	bool refused;                     /* a quiet send was not whole */
	bool cancelled;                   /* receives again when the queue is empty */
	bool ended, broken;               /* receives no more; broken: nothing can be sent either */
	bool echoed, filed; /* in the table of files, from its second send on: entering it and
			       leaving cost a call each */
};

struct server {
	const struct bare_options *o;
	struct ring ring;
	int next[MAX_BUFS], len[MAX_BUFS], sent[MAX_BUFS]; /* of each buffer that is queued */
	int quiet[MAX_BUFS], quiet_count; /* connections of sends that post nothing if all went */
	bool behind; /* something waits for a quiet send: no completion will say that it is over */
	struct conn conns[MAX_FD];
	int starved_next[MAX_FD];
	struct fifo starved;
	int listener;
	bool stop;
	struct bare_served served;
};

static void fifo_put(struct fifo *f, int *next, int item)
{
	next[item] = NONE;
	if (f->first == NONE)
		f->first = item;
	else
		next[f->last] = item;
	f->last = item;
}

static int fifo_take(struct fifo *f, const int *next)
{
	int item = f->first;

	f->first = next[item];
	return item;
}

static void arm_accept(struct server *s)
{
	struct io_uring_sqe *sqe = ring_sqe(&s->ring);

	io_uring_prep_multishot_accept(sqe, s->listener, NULL, NULL, SOCK_CLOEXEC);
	io_uring_sqe_set_data64(sqe, token(ACCEPT, 0));
}

static void conn_pop(struct server *s, struct conn *c)
{
	give(&s->ring, fifo_take(&c->queue, s->next));
	c->queued--;
}

static void conn_file(struct server *s, int fd)
{
	struct conn *c = &s->conns[fd];

	if (c->echoed && !c->filed)
		ring_file(&s->ring, fd, true);
	c->filed = c->echoed;
	c->echoed = true;
}

/* The socket of a request, and not its place in the table of files. */
static void conn_unfiled(const struct conn *c, struct io_uring_sqe *sqe)
{
	if (!c->filed)
		sqe->flags &= (uint8_t)~IOSQE_FIXED_FILE;
}

static void conn_close(struct server *s, int fd)
{
	struct io_uring_sqe *sqe;

	if (s->conns[fd].filed)
		ring_file(&s->ring, fd, false);
	sqe = ring_sqe(&s->ring);
	io_uring_prep_close(sqe, fd);
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	io_uring_sqe_set_data64(sqe, token(CANCEL, 0));
}

/* Sends what the first buffer of the queue still holds, unless a send is in flight. */
static void conn_send(struct server *s, int fd)
{
	struct conn *c = &s->conns[fd];
	int bid = c->queue.first;
	struct io_uring_sqe *sqe;

	if (c->queued == 0 || c->sending)
		return;
	c->sending = true;
	conn_file(s, fd);
	sqe = arm_send(&s->ring, fd, buffer(&s->ring, bid) + s->sent[bid],
		       (size_t)(s->len[bid] - s->sent[bid]), token(SEND, fd));
	conn_unfiled(c, sqe);
	if (!s->ring.how.quiet || c->refused)
		return; /* what was refused waits for room: no DONTWAIT */
	sqe->msg_flags |= MSG_DONTWAIT;
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	s->quiet[s->quiet_count++] = fd;
	s->behind |= c->queued > 1 || !c->receiving;
}

/* The variant "inline": what the socket takes at once needs no request. */
static void conn_send_inline(struct server *s, int fd)
{
	struct conn *c = &s->conns[fd];
	int bid = c->queue.first;
	ssize_t n;

	if (c->queued == 0 || c->sending)
		return;
	n = send(fd, buffer(&s->ring, bid), (size_t)s->len[bid], MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0)
		s->sent[bid] += (int)n;
	if (s->sent[bid] == s->len[bid])
		conn_pop(s, c);
}

/* Nothing more can be sent: ends the receive and drops what the kernel does not hold. */
static void conn_break(struct server *s, int fd)
{
	struct conn *c = &s->conns[fd];

	c->ended = c->broken = true;
	if (c->receiving)
		shutdown(fd, SHUT_RDWR);
	while (c->queued > 0 && !c->sending)
		conn_pop(s, c);
}

/* A reader that does not read may not pin the buffers of the others: stop receiving from it. */
static void conn_cancel(struct server *s, int fd)
{
	struct io_uring_sqe *sqe = ring_sqe(&s->ring);

	s->conns[fd].cancelled = true;
	io_uring_prep_cancel64(sqe, token(RECV, fd), 0);
	io_uring_sqe_set_data64(sqe, token(CANCEL, 0));
}

/* After each completion: close what is over, receive where nothing forbids it. */
static void conn_next(struct server *s, int fd)
{
	struct conn *c = &s->conns[fd];

	if (c->receiving || c->starved)
		return;
	if (c->ended) {
		if (c->queued == 0 && !c->sending)
			conn_close(s, fd);
	} else if (!c->cancelled || c->queued == 0) {
		c->cancelled = false;
		c->receiving = true;
		conn_unfiled(c, arm_recv(&s->ring, fd, token(RECV, fd)));
	}
}

static void received(struct server *s, int fd, const struct io_uring_cqe *cqe)
{
	struct conn *c = &s->conns[fd];

	c->receiving = cqe->flags & IORING_CQE_F_MORE;
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		int bid = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

		s->ring.free--;
		if (cqe->res > 0 && !c->broken) {
			s->len[bid] = cqe->res;
			s->sent[bid] = 0;
			fifo_put(&c->queue, s->next, bid);
			c->queued++;
		} else {
			give(&s->ring, bid);
		}
	}
	if (cqe->res > 0) {
		s->served.recvs++;
		s->served.bytes += (uint64_t)cqe->res;
	} else if (cqe->res == -ENOBUFS && !c->ended) {
		c->starved = true;
		fifo_put(&s->starved, s->starved_next, fd);
	} else if (cqe->res == 0) {
		c->ended = true; /* what is queued is still owed */
	} else if (cqe->res != -ECANCELED) {
		conn_break(s, fd);
	}
	if (s->ring.how.inlined)
		conn_send_inline(s, fd);
	conn_send(s, fd);
	s->behind |= s->ring.how.quiet && c->queued > 1;
	if (c->queued > MAX_QUEUED && c->receiving && !c->cancelled)
		conn_cancel(s, fd);
	conn_next(s, fd);
}

static void sent(struct server *s, int fd, const struct io_uring_cqe *cqe)
{
	struct conn *c = &s->conns[fd];
	int bid = c->queue.first;

	c->sending = false;
	/* only a quiet send finds no room, and only one has told that it was not whole */
	c->refused = cqe->res == -EAGAIN || (cqe->res > 0 && cqe->res < s->len[bid] - s->sent[bid]);
	if (cqe->res == -EAGAIN) {
		conn_send(s, fd);
		return;
	}
	if (cqe->res > 0)
		s->sent[bid] += cqe->res;
	if (cqe->res < 0 || c->broken)
		conn_break(s, fd);
	else if (s->sent[bid] == s->len[bid])
		conn_pop(s, c);
	conn_send(s, fd);
	conn_next(s, fd);
}

static void accepted(struct server *s, const struct io_uring_cqe *cqe)
{
	/* out of descriptors: the next accept would fail at once, and the next; wait a little */
	static struct __kernel_timespec later = { .tv_nsec = 10L * 1000 * 1000 };
	int fd = cqe->res;

	if (fd >= s->ring.files) {
		close(fd);
	} else if (fd >= 0) {
		bare_accepted(s->o, fd);
		s->conns[fd] = (struct conn){ .queue.first = NONE };
		conn_next(s, fd);
	}
	if (fd < 0) {
		struct io_uring_sqe *sqe = ring_sqe(&s->ring);

		io_uring_prep_timeout(sqe, &later, 0, 0);
		io_uring_sqe_set_data64(sqe, token(ACCEPT_LATER, 0));
	} else if (!(cqe->flags & IORING_CQE_F_MORE)) {
		arm_accept(s);
	}
}

static void completed(struct server *s, const struct io_uring_cqe *cqe)
{
	int slot = (int)(uint32_t)cqe->user_data;

	switch ((enum op)(cqe->user_data >> 56)) {
	case RECV:
		received(s, slot, cqe);
		break;
	case SEND:
		sent(s, slot, cqe);
		break;
	case ACCEPT:
		accepted(s, cqe);
		break;
	case ACCEPT_LATER:
		arm_accept(s);
		break;
	case STOP:
		s->stop = true;
		break;
	default: /* CANCEL: the receive itself tells how it ended; or a close failed */
		break;
	}
}

/* Quiet sends that were submitted @count ago and have not told otherwise were whole. */
static void quiet_sent(struct server *s, int count)
{
	for (int i = 0; i < count; i++) {
		int fd = s->quiet[i];
		struct conn *c = &s->conns[fd];

		if (c->refused || !c->sending)
			continue; /* its completion told, and what is left is being sent */
		c->sending = false;
		conn_pop(s, c);
		conn_send(s, fd);
		conn_next(s, fd);
	}
	s->quiet_count -= count;
	memmove(s->quiet, s->quiet + count, (size_t)s->quiet_count * sizeof(*s->quiet));
}

/* One wait and all it brought; then buffers that came back go to those that ran out of them. */
static void server_turn(struct server *s)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;
	int quiet = s->quiet_count;

	ring_wait(&s->ring, quiet > 0 && (s->behind || s->starved.first != NONE));
	s->behind = false;
	s->served.turns++;
	io_uring_for_each_cqe(&s->ring.uring, head, cqe)
	{
		completed(s, cqe);
		n++;
	}
	io_uring_cq_advance(&s->ring.uring, n);
	s->served.events += n;
	if (quiet > 0)
		quiet_sent(s, quiet);
	for (int free = s->ring.free; free > 0 && s->starved.first != NONE; free--) {
		int fd = fifo_take(&s->starved, s->starved_next);

		s->conns[fd].starved = false;
		conn_next(s, fd);
	}
}

static void *server_run(void *options)
{
	const struct bare_options *o = options;
	static struct server s = { .starved.first = NONE };

	s.o = o;
	s.served.cpu_ns = -bare_cpu_ns();
	bare_raise_files();
	ring_open(&s.ring, o->variant);
	arm_poll(&s.ring, bare_stop_fd(), token(STOP, 0));
	s.listener = bare_listen(o, 0);
	arm_accept(&s);
	while (!s.stop)
		server_turn(&s);
	s.served.cpu_ns += bare_cpu_ns();
	bare_print_server(o, &s.served);
	if (*s.ring.uring.cq.koverflow > 0)
		fprintf(stderr, "%u completions overflowed\n", *s.ring.uring.cq.koverflow);
	return NULL;
}

/* ---- the client ---- */

struct client {
	struct bare_client base; /* first: client_kick is given it */
	struct ring ring;
};

static void client_send(struct client *c, struct bare_peer *p)
{
	const unsigned char *span;
	uint32_t len;

	if (p->sending || p->unsent == 0)
		return;
	p->sending = true;
	span = bare_client_span(&c->base, p, &len);
	arm_send(&c->ring, p->fd, span, len, token(SEND, (int)(p - c->base.peers)));
}

static void client_kick(struct bare_client *cl, struct bare_peer *p)
{
	client_send((struct client *)cl, p);
}

static void client_receive(struct client *c, const struct bare_peer *p)
{
	struct io_uring_sqe *sqe = arm_recv(&c->ring, p->fd, token(RECV, (int)(p - c->base.peers)));

	if (c->base.o->discard)
		sqe->msg_flags |= MSG_TRUNC;
}

static void client_received(struct client *c, struct bare_peer *p, const struct io_uring_cqe *cqe)
{
	if (cqe->flags & IORING_CQE_F_BUFFER) {
		int bid = (int)(cqe->flags >> IORING_CQE_BUFFER_SHIFT);

		if (cqe->res > 0)
			bare_client_data(&c->base, p, buffer(&c->ring, bid), (uint32_t)cqe->res);
		give(&c->ring, bid);
	}
	if (cqe->res == 0) {
		errno = ECONNRESET; /* an end of input is as bad: we are owed bytes */
		bare_die(BARE_EXIT_FAILED, "recv");
	} else if (cqe->res < 0 && cqe->res != -ENOBUFS) {
		errno = -cqe->res;
		bare_die(BARE_EXIT_FAILED, "recv");
	}
	/* ENOBUFS: this turn gives all buffers back, and then submits */
	if (!(cqe->flags & IORING_CQE_F_MORE))
		client_receive(c, p);
	client_send(c, p);
}

static void client_completed(struct client *c, const struct io_uring_cqe *cqe)
{
	struct bare_peer *p = &c->base.peers[(uint32_t)cqe->user_data];

	switch ((enum op)(cqe->user_data >> 56)) {
	case RECV:
		client_received(c, p, cqe);
		break;
	case SEND:
		if (cqe->res < 0) {
			errno = -cqe->res;
			bare_die(BARE_EXIT_FAILED, "send");
		}
		p->sending = false;
		bare_client_sent(p, (uint32_t)cqe->res);
		client_send(c, p);
		break;
	case WATCH:
		errno = ECONNRESET;
		bare_die(BARE_EXIT_FAILED, "recv");
		break;
	default: /* TIMER */
		bare_client_tick(&c->base);
		if (!(cqe->flags & IORING_CQE_F_MORE))
			arm_poll(&c->ring, c->base.timer, token(TIMER, 0));
		break;
	}
}

/* A receive that is woken for bytes and for the reset behind them forgets the reset (Linux 6.18).
 */
static void client_watch(struct client *c, struct bare_peer *p)
{
	struct io_uring_sqe *sqe = ring_sqe(&c->ring);

	io_uring_prep_poll_add(sqe, p->fd, POLLERR | POLLHUP);
	io_uring_sqe_set_data64(sqe, token(WATCH, (int)(p - c->base.peers)));
}

/* One wait and all it brought. */
static void client_turn(struct client *c)
{
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	ring_wait(&c->ring, c->base.o->spin);
	io_uring_for_each_cqe(&c->ring.uring, head, cqe)
	{
		client_completed(c, cqe);
		n++;
	}
	io_uring_cq_advance(&c->ring.uring, n);
	c->base.result.turns++;
}

static void *client_run(void *options)
{
	const struct bare_options *o = options;
	static struct client c;

	ring_open(&c.ring, o->variant);
	bare_client_open(&c.base, o, client_kick);
	bare_client_start(&c.base);
	arm_poll(&c.ring, c.base.timer, token(TIMER, 0));
	for (unsigned k = 0; k < o->conns; k++) {
		struct bare_peer *p = &c.base.peers[k];

		ring_file(&c.ring, p->fd, true);
		client_receive(&c, p);
		client_watch(&c, p);
		client_send(&c, p);
	}
	while (bare_client_goes_on(&c.base))
		client_turn(&c);
	bare_client_report(&c.base);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct bare_options o;

	o = bare_options(argc, argv);
	bare_pin(o.cpu);
	bare_thread(&o, o.server ? server_run : client_run);
	return 0;
}
