/* SPDX-License-Identifier: MIT
 * acceptor: accept(2) in bounded batches, with a reserve descriptor and a back-off.
 */
#include "echo/net/acceptor.h"

#include <assert.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/net/sock.h"
#include "echo/net/worker.h"

enum {
	BATCH = 64,
	FULL = 8, /* batches in a row that were full: the next may be twice as large */
	MUTE_MS = 100,
	YIELD_MS = 1,
};

/* ---- the reserve; all of it with its lock held ---- */

/* Returns whether it is there. */
static bool reserve_hold(struct acceptor_reserve *r)
{
	if (r->fd < 0)
		r->fd = eventfd(0, EFD_CLOEXEC); /* a program in a sandbox can open no file */
	if (r->fd >= 0)
		atomic_store(&r->given_up, false);
	return r->fd >= 0;
}

static void reserve_give_up(struct acceptor_reserve *r)
{
	atomic_store(&r->given_up, true); /* before an accept can get its number */
	close(r->fd);
	r->fd = -1;
}

static void reserve_use(struct acceptor_reserve *r)
{
	pthread_mutex_lock(&r->lock);
	if (r->users++ == 0)
		(void)reserve_hold(r); /* if not now, then when it is needed */
	pthread_mutex_unlock(&r->lock);
}

static void reserve_leave(struct acceptor_reserve *r)
{
	pthread_mutex_lock(&r->lock);
	assert(r->users > 0);
	if (--r->users == 0 && r->fd >= 0) {
		close(r->fd);
		r->fd = -1;
	}
	pthread_mutex_unlock(&r->lock);
}

/* ---- the acceptor ---- */

static void acceptor_set_muted(struct acceptor *a, bool on)
{
	a->muted = on;
	a->mute(a);
}

static void acceptor_retry(struct timer *t, int64_t now_ns)
{
	(void)now_ns;
	acceptor_set_muted(container_of(t, struct acceptor, retry), false);
}

void acceptor_init(struct acceptor *a, struct worker *w, int fd)
{
	assert(a->take && a->mute && fd >= 0);
	a->worker = w;
	a->fd = fd;
	a->shared = worker_listener_share(w, fd) != LISTENER_OWN;
	a->reserve = w->reserve;
	reserve_use(a->reserve);
	a->muted = a->yielded = false;
	a->batch = 1;
	a->full = 0;
	a->retry = (struct timer){ .fire = acceptor_retry };
}

void acceptor_fini(struct acceptor *a)
{
	reserve_leave(a->reserve);
	a->fd = -1;
	timer_cancel(&a->worker->timers, &a->retry);
}

static void acceptor_turn_away(struct acceptor *a, int fd)
{
	close(fd);
	stats_add(&a->worker->stats.opened, 1);
	stats_add(&a->worker->stats.closed[CAUSE_LOCAL_LIMIT], 1);
}

/* Turns away what is queued, at most a batch, with the descriptor held in reserve. Ends at EAGAIN
 * too: accept fails with EMFILE even when nothing is queued; and when another thread has got the
 * number, which gives it back. */
static void acceptor_shed(struct acceptor *a)
{
	struct acceptor_reserve *r = a->reserve;
	int fd = 0;

	pthread_mutex_lock(&r->lock);
	for (int i = 0; i < BATCH && fd >= 0 && reserve_hold(r); i++) {
		reserve_give_up(r);
		fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			acceptor_turn_away(a, fd);
	}
	(void)reserve_hold(r);
	pthread_mutex_unlock(&r->lock);
}

/* Whether @fd may be kept. If not, it was the reserve's: its peer has been turned away. */
static bool acceptor_keeps(struct acceptor *a, int fd)
{
	struct acceptor_reserve *r = a->reserve;
	bool keeps;

	if (!atomic_load(&r->given_up))
		return true;
	pthread_mutex_lock(&r->lock);
	keeps = reserve_hold(r);
	if (!keeps) {
		acceptor_turn_away(a, fd);
		(void)reserve_hold(r);
	}
	pthread_mutex_unlock(&r->lock);
	return keeps;
}

void acceptor_take(struct acceptor *a, int fd, void (*serve)(struct worker *w, int fd))
{
	if (acceptor_keeps(a, fd) && !balance_give(a->worker, fd))
		serve(a->worker, fd);
}

bool acceptor_failed(struct acceptor *a, int err)
{
	switch (err) {
	case EAGAIN:
		return false;
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
		return true; /* of that one connection */
	case EMFILE:
	case ENFILE:
		acceptor_shed(a);
		break;
	default: /* EPERM too: a policy forbids accept, which takes nobody from the queue */
		break;
	}
	stats_add(&a->worker->stats.accept_errors, 1);
	acceptor_set_muted(a, true);
	timer_set(&a->worker->timers, &a->retry, a->worker->now_ns + MSEC(MUTE_MS));
	return false;
}

/* Returns how many attempts went well, or may be followed by another. */
static int acceptor_batch(struct acceptor *a, int max)
{
	int i = 0;

	for (; i < max && !a->muted; i++) {
		int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0)
			acceptor_take(a, fd, a->take);
		else if (!acceptor_failed(a, errno))
			break;
	}
	return i;
}

/* Of one queue the first worker that is awake would take all. Where another of those that accept
 * from it has fewer connections it is given the time to come first; once, since it may be busy. */
static bool acceptor_yields(struct acceptor *a)
{
	const struct worker *w = a->worker;
	const uint64_t own = stats_get(&w->stats.open);
	bool fewer = false;

	for (unsigned i = 0; a->shared && !a->yielded && i < w->peer_count; i++)
		fewer |= stats_get(&w->peers[i].stats.open) < own;
	a->yielded = fewer;
	if (!fewer)
		return false;
	acceptor_set_muted(a, true);
	timer_set(&a->worker->timers, &a->retry, w->now_ns + MSEC(YIELD_MS));
	return true;
}

/* Where one comes at a time, asking whether there is another costs more than to be told so by the
 * next turn; in a storm batches grow. */
void acceptor_run(struct acceptor *a)
{
	int n;

	if (acceptor_yields(a))
		return;
	n = acceptor_batch(a, a->batch);
	a->full = n == a->batch ? a->full + 1 : 0;
	if (n < a->batch) {
		a->batch = n > 0 ? n : 1;
	} else if (a->full == FULL && a->batch < BATCH) {
		a->batch *= 2;
		a->full = 0;
	}
}

void acceptor_finish(struct acceptor *a)
{
	int queued = sock_queued(a->fd); /* those that come meanwhile are not waited for */

	if (a->yielded)
		a->muted = false; /* the others' turn is over */
	/* how many wait at a unix socket nobody says: no more than may */
	acceptor_batch(a, queued >= 0 ? queued : (int)a->worker->config->sock.backlog + 1);
}
