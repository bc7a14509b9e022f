/* SPDX-License-Identifier: MIT
 * bare_epoll: the smallest correct echo server and client on epoll: the speed of light for
 * echolab's epoll backend. Edge-triggered, registered once and never modified: a level-triggered
 * descriptor is polled once more for each event, when the next wait finds it silent. Everything is
 * received into one scratch buffer and sent from it at once; only what the socket refuses is
 * copied, and then the connection is not read until that has gone.
 */
#include "bare_client.h"
#include <sys/epoll.h>

enum {
	EVENTS = 256,
	READS = 8, /* chunks taken from one connection before the others have their turn */
	MAX_FD = 65536,
	EDGES = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI,
	/* a short receive is the last one, unless an end, an error or an urgent mark is there */
	BEHIND = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI,
};

struct conn {
	int fd;
	uint32_t tail_at, tail_len; /* refused bytes, in tail */
	unsigned char *tail;        /* BARE_CHUNK bytes, once it was needed */
};

struct server {
	int epoll, listener, stop;
	struct bare_served served;
	struct conn conns[MAX_FD]; /* by descriptor */
	unsigned char scratch[BARE_CHUNK];
};

static void watch(int epoll, int fd, uint32_t events, void *what)
{
	struct epoll_event event = { .events = events, .data.ptr = what };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "epoll_ctl");
}

/* Asks for the state anew, which queues what is ready behind the others: a firehose waits its turn.
 */
static int watch_again(int epoll, int fd, void *what)
{
	struct epoll_event event = { .events = EDGES | EPOLLET, .data.ptr = what };

	return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

/* The listener is level-triggered, so what one call leaves is reported again. */
static void server_accept(struct server *s, const struct bare_options *o)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= MAX_FD) {
		close(fd);
	} else if (fd >= 0) {
		bare_accepted(o, fd);
		s->conns[fd] = (struct conn){ .fd = fd };
		watch(s->epoll, fd, EDGES | EPOLLET, &s->conns[fd]);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
		usleep(10000); /* it stays readable: do not spin until somebody closes */
	}
}

static void conn_close(struct conn *c)
{
	close(c->fd);
	free(c->tail);
}

/* Sends what was refused before. Returns 0 when all is gone, 1 when not, -1 on an error. */
static int conn_flush(struct conn *c)
{
	while (c->tail_len > 0) {
		ssize_t n = send(c->fd, c->tail + c->tail_at, c->tail_len, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN ? 1 : -1;
		c->tail_at += (uint32_t)n;
		c->tail_len -= (uint32_t)n;
	}
	return 0;
}

/* Echoes one chunk; same result as conn_flush(). */
static int conn_echo(struct conn *c, const unsigned char *data, size_t len)
{
	ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return -1;
	if (n == (ssize_t)len)
		return 0;
	if (n < 0)
		n = 0;
	if (!c->tail && !(c->tail = malloc(BARE_CHUNK)))
		return -1;
	c->tail_at = 0;
	c->tail_len = (uint32_t)(len - (size_t)n);
	memcpy(c->tail, data + n, c->tail_len);
	return conn_flush(c); /* room may have come since: its edge would be before our next wait */
}

/* Reads until the socket is empty, refuses, or ends. Returns < 0 when the connection is over. */
static int conn_serve(struct server *s, struct conn *c, uint32_t events)
{
	int r = conn_flush(c);

	for (int reads = 0; r == 0; reads++) {
		ssize_t n;

		if (reads == READS)
			return watch_again(s->epoll, c->fd, c);
		n = recv(c->fd, s->scratch, sizeof(s->scratch), 0);
		if (n <= 0)
			return n < 0 && errno == EAGAIN ? 0 : -1;
		s->served.recvs++;
		s->served.bytes += (uint64_t)n;
		r = conn_echo(c, s->scratch, (size_t)n);
		if (n < (ssize_t)sizeof(s->scratch) && !(events & BEHIND))
			break;
	}
	return r < 0 ? -1 : 0;
}

/* One wait and all it brought. Returns false when the server shall stop. */
static bool server_turn(struct server *s, const struct bare_options *o)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(s->epoll, events, EVENTS, -1);

	s->served.turns++;
	s->served.events += n > 0 ? (uint64_t)n : 0;
	for (int i = 0; i < n; i++) {
		void *what = events[i].data.ptr;

		if (what == &s->stop)
			return false;
		if (what == &s->listener)
			server_accept(s, o);
		else if (conn_serve(s, what, events[i].events) < 0)
			conn_close(what);
	}
	return true;
}

static void *server_run(void *options)
{
	const struct bare_options *o = options;
	static struct server s;

	s.served.cpu_ns = -bare_cpu_ns();
	bare_raise_files();
	s.stop = bare_stop_fd();
	s.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (s.epoll < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "epoll_create1");
	s.listener = bare_listen(o, SOCK_NONBLOCK);
	watch(s.epoll, s.stop, EPOLLIN, &s.stop);
	watch(s.epoll, s.listener, EPOLLIN, &s.listener);
	while (server_turn(&s, o))
		;
	s.served.cpu_ns += bare_cpu_ns();
	bare_print_server(o, &s.served);
	return NULL;
}

/* Sends what may be sent; an EPOLLOUT edge comes for what the socket refuses. */
static void client_send(struct bare_client *cl, struct bare_peer *p)
{
	while (p->unsent > 0) {
		uint32_t len;
		const unsigned char *span = bare_client_span(cl, p, &len);
		ssize_t n = send(p->fd, span, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			bare_die(BARE_EXIT_FAILED, "send");
		bare_client_sent(p, (uint32_t)n);
	}
}

static void client_serve(struct bare_client *cl, struct bare_peer *p, int epoll, uint32_t events)
{
	static unsigned char scratch[BARE_CHUNK];
	int flags = MSG_DONTWAIT | (cl->o->discard ? MSG_TRUNC : 0);
	ssize_t n = sizeof(scratch);

	for (int reads = 0; n == sizeof(scratch) || (n > 0 && (events & BEHIND)); reads++) {
		if (reads == READS && watch_again(epoll, p->fd, p) == 0)
			return;
		n = recv(p->fd, scratch, sizeof(scratch), flags);
		if (n == 0)
			errno = ECONNRESET; /* an end of input is as bad: we are owed bytes */
		if (n == 0 || (n < 0 && errno != EAGAIN))
			bare_die(BARE_EXIT_FAILED, "recv");
		if (n > 0)
			bare_client_data(cl, p, scratch, (uint32_t)n);
		client_send(cl, p);
	}
}

static void *client_run(void *options)
{
	const struct bare_options *o = options;
	static struct bare_client cl;
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (epoll < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "epoll_create1");
	bare_client_open(&cl, o, client_send);
	bare_client_start(&cl);
	watch(epoll, cl.timer, EPOLLIN, NULL);
	for (unsigned k = 0; k < o->conns; k++) /* writable: the first edge starts the sending */
		watch(epoll, cl.peers[k].fd, EDGES | EPOLLET, &cl.peers[k]);
	while (bare_client_goes_on(&cl)) {
		int n = epoll_wait(epoll, events, EVENTS, o->spin ? 0 : -1);

		cl.result.turns++;
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				client_serve(&cl, events[i].data.ptr, epoll, events[i].events);
			else
				bare_client_tick(&cl);
		}
	}
	bare_client_report(&cl);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct bare_options o;

	o = bare_options(argc, argv);
	if (o.variant)
		bare_usage("--variant: this loop has none");
	bare_pin(o.cpu);
	bare_thread(&o, o.server ? server_run : client_run);
	return 0;
}
