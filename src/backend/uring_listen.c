/* SPDX-License-Identifier: MIT
 * uring_listen: listeners of the io_uring backend: one accept each that goes on for ever, unless it
 * has to be tried.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "echo/base/base.h"
#include "uring_private.h"

static uint64_t listener_token(const struct uring_state *s, const struct uring_listener *l)
{
	return (uint64_t)URING_ACCEPT << 56 | (uint64_t)(l - s->listeners);
}

/* accept(2) of the acceptor must not block; the ring's own does not wait if it may not block. */
static void listener_set_blocking(const struct uring_listener *l, bool on)
{
	(void)fcntl(l->acceptor.fd, F_SETFL, O_RDWR | (on ? 0 : O_NONBLOCK));
}

static void listener_arm(struct uring_listener *l)
{
	struct uring_state *s = l->acceptor.worker->state;
	struct io_uring_sqe *sqe = uring_sqe(s);

	assert(!l->armed);
	listener_set_blocking(l, true);
	io_uring_prep_multishot_accept(sqe, l->acceptor.fd, NULL, NULL, SOCK_CLOEXEC);
	sqe->user_data = listener_token(s, l);
	l->armed = true;
}

/* After a rest a poll waits for a connection before accept is tried: without descriptors accept
 * fails even when no connection is queued. */
static void listener_poll(struct uring_listener *l)
{
	struct uring_state *s = l->acceptor.worker->state;
	struct io_uring_sqe *sqe = uring_sqe(s);

	io_uring_prep_poll_add(sqe, l->acceptor.fd, POLLIN);
	sqe->user_data = listener_token(s, l);
	l->armed = l->polling = true;
}

/* Whether it polls, and calls accept(2). The ring's accept waits exclusively, so that of several
 * only one is woken: where a process that has just died waited on this listener too its wait, which
 * the kernel takes away some time later, could be the one. A poll is always woken. And the ring's
 * accept wants a listener that may block, which others who accept from it could not stand. */
static bool listener_polls(const struct uring_listener *l)
{
	return l->acceptor.worker->wary || l->acceptor.shared;
}

/* Else one accept is for all that come. */
static void listener_start(struct uring_listener *l)
{
	if (listener_polls(l))
		listener_poll(l);
	else
		listener_arm(l);
}

static void listener_mute(struct acceptor *a)
{
	struct uring_listener *l = container_of(a, struct uring_listener, acceptor);

	if (!a->muted && !l->armed)
		listener_poll(l);
}

static void uring_take(struct worker *w, int fd)
{
	struct conn *c = shed_accept(w, fd);

	if (!c)
		return;
	uring_of(c)->single = c->is_unix;
	conn_opened(c);
	uring_update_recv(c);
}

/* What accept(2) brought, here or in another worker: the ring waits only for descriptors that may
 * block. */
void uring_serve(struct worker *w, int fd)
{
	(void)fcntl(fd, F_SETFL, O_RDWR);
	uring_take(w, fd);
}

void uring_accepted(struct worker *w, const struct io_uring_cqe *cqe)
{
	struct uring_state *s = w->state;
	struct uring_listener *l = &s->listeners[(uint32_t)cqe->user_data];
	bool polled = l->polling;

	if (!(cqe->flags & IORING_CQE_F_MORE))
		l->armed = l->polling = false;
	if (polled && listener_polls(l) && cqe->res >= 0 && !l->ending) {
		listener_set_blocking(l, false);
		acceptor_run(&l->acceptor);
	} else if (cqe->res >= 0 && !polled) {
		acceptor_take(&l->acceptor, cqe->res, uring_take);
	} else if (cqe->res < 0 && cqe->res != -ECANCELED) {
		listener_set_blocking(l, false);
		(void)acceptor_failed(&l->acceptor, -cqe->res);
	}
	if (!l->armed && !l->acceptor.muted && !l->ending)
		listener_start(l);
}

int uring_listen(struct worker *w, int fd)
{
	struct uring_state *s = w->state;

	for (unsigned i = 0; i < ARRAY_LEN(s->listeners); i++) {
		struct uring_listener *l = &s->listeners[i];

		if (l->acceptor.fd >= 0)
			continue;
		*l = (struct uring_listener){ .acceptor.take = uring_serve };
		l->acceptor.mute = listener_mute;
		acceptor_init(&l->acceptor, w, fd);
		listener_start(l);
		return 0;
	}
	return -ENOSPC;
}

void uring_unlisten(struct worker *w, int fd, bool drain)
{
	struct uring_state *s = w->state;

	for (unsigned i = 0; i < ARRAY_LEN(s->listeners); i++) {
		struct uring_listener *l = &s->listeners[i];

		if (l->acceptor.fd != fd)
			continue;
		l->ending = true;
		if (l->armed)
			uring_cancel(s, listener_token(s, l));
		while (l->armed && w->error == 0)
			w->error = w->config->backend->turn(w, -1);
		listener_set_blocking(l, false);
		if (drain)
			acceptor_finish(&l->acceptor);
		acceptor_fini(&l->acceptor);
	}
}
