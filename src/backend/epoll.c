/* SPDX-License-Identifier: MIT
 * epoll: edge-triggered readiness. A connection is registered once for everything and never
 * modified; what it was told and could not use yet is remembered in two bits (epoll_io.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/opt.h"
#include "echo/net/backend.h"
#include "epoll_private.h"

/* ops of tokens that are no connection's */
enum { OP_CONN, OP_LISTENER, OP_WAKE };

/* More may lie behind what one receive brings, however short it is: an end, or more bytes, since a
 * receive ends at the urgent mark. */
enum { BEHIND = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI };

struct epoll_config {
	uint64_t buffer;
};

static const struct opt epoll_opts[] = {
	OPT_SIZE(epoll_config, buffer, "64Ki", 1, 16 << 20,
		 "largest single receive, one buffer for each worker"),
	OPT_END,
};

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

	if (!c)
		return; /* closed earlier in this batch */
	if (c->state == CONN_DIALING)
		epoll_dialed(c, ev->events);
	if (ev->events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		c->backend_flags &= (uint8_t)~EPOLL_FULL;
	if (ev->events & BEHIND)
		c->backend_flags |= EPOLL_TO_EAGAIN;
	if ((ev->events & (EPOLLIN | BEHIND)) && !c->eof)
		c->backend_flags |= EPOLL_READABLE; /* recv names it; after the FIN only send can */
	if (c->state == CONN_OPEN && (ev->events & EPOLLOUT) && conn_unsent(c) > 0)
		epoll_flush(c);
	if (c->state == CONN_OPEN)
		epoll_read(c);
}

static void epoll_dispatch(struct worker *w, const struct epoll_event *ev)
{
	struct epoll_state *s = w->state;

	switch (conn_token_op(ev->data.u64)) {
	case OP_CONN:
		epoll_event(w, ev);
		break;
	case OP_LISTENER:
		acceptor_run(&s->acceptors[(uint32_t)ev->data.u64]);
		break;
	default:
		shed_woken(w);
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

static int epoll_look(struct worker *w)
{
	struct epoll_state *s = w->state;

	return epoll_wait(s->fd, s->events, EPOLL_EVENTS, 0);
}

static int epoll_wait_events(struct worker *w, int64_t wait_ns)
{
	struct epoll_state *s = w->state;
	struct timespec precise;
	int n = busy_poll_look(w, wait_ns, epoll_look);

	if (n != 0)
		return n;
	if (w->pace_ns == 0 || wait_ns <= 0)
		return epoll_wait(s->fd, s->events, EPOLL_EVENTS, epoll_timeout_ms(wait_ns));
	precise = (struct timespec){ .tv_sec = wait_ns / SEC(1), .tv_nsec = wait_ns % SEC(1) };
	return epoll_pwait2(s->fd, s->events, EPOLL_EVENTS, &precise, NULL);
}

static int epoll_turn(struct worker *w, int64_t wait_ns)
{
	struct epoll_state *s = w->state;
	int n;

	n = epoll_wait_events(w, list_empty(&s->ready) ? wait_ns : 0);
	if (n < 0 && errno != EINTR)
		return -errno;
	worker_woke(w);
	for (int i = 0; i < n; i++) {
		if (i + 1 < n)
			conn_prefetch(w, s->events[i + 1].data.u64);
		epoll_dispatch(w, &s->events[i]);
	}
	epoll_run_ready(w);
	w->found = (n > 0 ? (uint32_t)n : 0) + !list_empty(&s->ready);
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
	c->backend_flags = c->is_unix ? EPOLL_UNIX : 0;
	return epoll_add(c->worker, c->fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET,
			 conn_token(c, OP_CONN));
}

static void epoll_take(struct worker *w, int fd)
{
	struct conn *c = shed_accept(w, fd);
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
	int r;

	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++) {
		struct acceptor *a = &s->acceptors[i];

		if (a->fd >= 0)
			continue;
		a->take = epoll_take;
		a->mute = epoll_mute;
		acceptor_init(a, w, fd);
		r = epoll_add(w, fd, EPOLLIN, (uint64_t)OP_LISTENER << 56 | i);
		if (r < 0)
			acceptor_fini(a);
		return r;
	}
	return -ENOSPC;
}

static void epoll_unlisten(struct worker *w, int fd, bool drain)
{
	struct epoll_state *s = w->state;

	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++) {
		if (s->acceptors[i].fd != fd)
			continue;
		if (drain)
			acceptor_finish(&s->acceptors[i]);
		if (!s->acceptors[i].muted)
			(void)epoll_ctl(s->fd, EPOLL_CTL_DEL, fd, NULL);
		acceptor_fini(&s->acceptors[i]);
	}
}

static int epoll_detach(struct conn *c)
{
	const struct epoll_state *s = c->worker->state;

	list_remove(&epoll_of(c)->link);
	/* closing would not do: the file lives on in another process, and its registration here */
	return epoll_ctl(s->fd, EPOLL_CTL_DEL, c->fd, NULL) < 0 ? -errno : 1;
}

static void epoll_owed(const struct conn *c, void (*each)(void *arg, const void *span, size_t len),
		       void *arg)
{
	unsent_each(&c->out, each, arg);
}

static int epoll_attach(struct conn *c)
{
	/* to be added tells what there is */
	int r = fcntl(c->fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ? -errno : epoll_add_conn(c);

	if (r != -EEXIST)
		return r;
	r = epoll_detach(c); /* has failed before */
	return r < 0 ? r : epoll_add_conn(c);
}

static int epoll_probe(const char **why)
{
	(void)why;
	return 0;
}

/* Where the pool has so many blocks, what one receive brings finds room. */
static void epoll_configured(struct worker *w)
{
	struct epoll_state *s = w->state;

	if (w->role->echoes)
		s->ample = s->scratch_len > w->config->max_unsent ? UINT32_MAX
								  : unsent_blocks(s->scratch_len);
}

static int epoll_init(struct worker *w)
{
	struct epoll_state *s = w->state;
	const struct epoll_config *config = w->config->backend_config;
	int r;

	list_init(&s->ready);
	for (unsigned i = 0; i < ARRAY_LEN(s->acceptors); i++)
		s->acceptors[i].fd = -1;
	s->scratch_len = config->buffer;
	s->scratch = mmap(NULL, s->scratch_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (s->scratch == MAP_FAILED)
		return -ENOMEM;
	epoll_configured(w);
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

static const struct backend_call epoll_calls[] = {
	{ .number = SYS_recvfrom },    { .number = SYS_sendto },
#ifdef SYS_epoll_wait
	{ .number = SYS_epoll_wait },
#endif
	{ .number = SYS_epoll_pwait }, { .number = SYS_epoll_pwait2 },
	{ .number = SYS_epoll_ctl },   BACKEND_CALLS_END,
};

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
	.serve = epoll_take,
	.unlisten = epoll_unlisten,
	.dial = epoll_add_conn,
	.send = epoll_send,
	.shutdown = epoll_shutdown,
	.close = epoll_close,
	.detach = epoll_detach,
	.owed = epoll_owed,
	.attach = epoll_attach,
	.configured = epoll_configured,
	.calls = epoll_calls,
};
