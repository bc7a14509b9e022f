/* SPDX-License-Identifier: MIT
 * worker: a thread that turns its backend until it is told to stop and its connections have ended.
 * All memory is reserved before the loop starts; nothing is allocated in it.
 */
#include "echo/net/worker.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/backend.h"

/* An eventfd's write can only fail when its counter is full, and then it is readable anyway. */
static void worker_signal(int fd, uint64_t what)
{
	ssize_t n = write(fd, &what, sizeof(what));

	(void)n;
}

/* The drain took too long: the role cuts off what is left. */
static void worker_drain_over(struct timer *t, int64_t now_ns)
{
	struct worker *w = container_of(t, struct worker, drain_timer);

	(void)now_ns;
	w->cuts_off = true;
	w->role->stop(w, WORKER_RESET);
}

int worker_give_listener(struct worker *w, int fd, enum listener_share share)
{
	if (w->listener_count == WORKER_LISTENERS_MAX)
		return -ENOSPC;
	w->serves_unix |= sock_is_unix(fd);
	w->share[w->listener_count] = (uint8_t)share;
	w->listeners[w->listener_count++] = fd;
	return 0;
}

enum listener_share worker_listener_share(const struct worker *w, int fd)
{
	for (unsigned i = 0; i < w->listener_count; i++) {
		if (w->listeners[i] == fd)
			return (enum listener_share)w->share[i];
	}
	return LISTENER_OWN;
}

void worker_share_listener(struct worker *w, int fd, enum listener_share share)
{
	for (unsigned i = 0; i < w->listener_count; i++) {
		if (w->listeners[i] == fd && w->share[i] < share)
			w->share[i] = (uint8_t)share;
	}
}

static void worker_close_listeners(struct worker *w)
{
	while (w->listener_count > 0)
		close(w->listeners[--w->listener_count]);
}

void worker_rest(struct worker *w, unsigned i)
{
	assert(i < w->listener_count);
	if (!w->resting[i])
		w->config->backend->unlisten(w, w->listeners[i], false);
	w->resting[i] = true;
}

int worker_wake_listeners(struct worker *w)
{
	int r = 0;

	w->wary = true;
	for (unsigned i = 0; i < w->listener_count; i++) {
		int e;

		if (!w->resting[i])
			continue;
		/* another process may have had it block, as a ring wants it */
		(void)fcntl(w->listeners[i], F_SETFL, O_RDWR | O_NONBLOCK);
		e = w->config->backend->listen(w, w->listeners[i]);
		w->resting[i] = e < 0;
		r = r < 0 ? r : e;
	}
	return r;
}

int worker_add_listener(struct worker *w, int fd, enum listener_share share)
{
	int r = worker_give_listener(w, fd, share);

	if (r < 0)
		return r;
	w->resting[w->listener_count - 1] = false;
	r = w->config->backend->listen(w, fd);
	w->listener_count -= r < 0;
	return r;
}

void worker_drop_listener(struct worker *w, unsigned i)
{
	const unsigned last = w->listener_count - 1;
	const bool kept = w->share[i] == LISTENER_KEPT;

	assert(i < w->listener_count);
	if (!w->resting[i])
		w->config->backend->unlisten(w, w->listeners[i], !kept);
	/* a process that was forked just now may hold a copy, which would still let peers in */
	if (!kept)
		sock_deafen(w->listeners[i]);
	close(w->listeners[i]);
	w->share[i] = w->share[last];
	w->listeners[i] = w->listeners[last];
	w->resting[i] = w->resting[last];
	w->listener_count = last;
}

static void worker_end_listeners(struct worker *w)
{
	for (unsigned i = 0; i < w->listener_count; i++) {
		if (!w->resting[i])
			w->config->backend->unlisten(w, w->listeners[i],
						     w->share[i] != LISTENER_KEPT);
	}
	worker_close_listeners(w);
}

/* Acts once on each new way of stopping. */
static void worker_check_stop(struct worker *w)
{
	enum worker_stop how =
		(enum worker_stop)atomic_load_explicit(&w->stop, memory_order_acquire);
	const struct backend_ops *backend = w->config->backend;
	int64_t deadline_ns;

	if (how == w->stopping)
		return;
	deadline_ns = clock_now_ns() + (how == WORKER_DRAIN ? w->config->drain_ns : 0);
	worker_end_listeners(w);
	balance_close(w);
	w->stopping = how;
	if (backend->stop)
		backend->stop(w);
	if (how == WORKER_DRAIN)
		timer_set(&w->timers, &w->drain_timer, deadline_ns);
	if (how != WORKER_LEAVE)
		w->role->stop(w, how);
}

/* in the place of a call: none runs any more */
static struct worker_call worker_over;

static void worker_finish_call(struct worker_call *call, int result)
{
	call->result = result;
	(void)sem_post(&call->done); /* whoever waits may free it from here on */
}

static void worker_run_call(struct worker *w)
{
	struct worker_call *call = atomic_load_explicit(&w->call, memory_order_acquire);
	int r = call ? call->run(w, call) : -EAGAIN;

	if (r == -EAGAIN)
		return;
	atomic_store(&w->call, NULL);
	worker_finish_call(call, r);
}

/* The loop has ended. */
static void worker_end_calls(struct worker *w)
{
	struct worker_call *call = atomic_exchange(&w->call, &worker_over);

	if (call)
		worker_finish_call(call, -ECANCELED);
}

/* A turn is over. Where it failed w->woke_ns may be of the one before. */
static void worker_count_turn(struct worker *w)
{
	stats_observe(&w->stats.events, STATS_STEP_EVENTS, w->found, w->found);
	if (w->config->busy_poll_ns == BUSY_POLL_AUTO)
		busy_poll_turned(&w->busy_poll, w->now_ns, stats_get(&w->stats.bytes_in),
				 clock_thread_cpu_ns);
	if (w->turn++ % STATS_TIMED_EVERY == 0 && w->error == 0) {
		const uint64_t ns = (uint64_t)(clock_now_ns() - w->woke_ns);

		stats_observe(&w->stats.turns, STATS_STEP_TIME,
			      (ns + STATS_TIME_NS - 1) / STATS_TIME_NS, ns);
	}
}

static void worker_loop(struct worker *w)
{
	while (w->error == 0 && (w->live > 0 || w->stopping == WORKER_RUN)) {
		worker_turn(w);
		worker_check_stop(w);
		worker_run_call(w);
		if (w->role->turned)
			w->role->turned(w);
		conn_reap(w);
		worker_count_turn(w);
		if (w->stopping == WORKER_QUIT)
			break;
	}
}

static void worker_free(struct worker *w)
{
	conn_table_fini(w);
	unsent_pool_fini(&w->pool);
	free(w->state);
	w->state = NULL;
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	w->wake_fd = -1;
}

void worker_fini(struct worker *w)
{
	worker_close_listeners(w);
	worker_free(w);
}

int worker_init(struct worker *w)
{
	const struct backend_ops *backend = w->config->backend;
	int r;

	w->now_ns = clock_now_ns();
	timers_init(&w->timers, w->now_ns);
	w->drain_timer = (struct timer){ .fire = worker_drain_over };
	w->own_reserve = (struct acceptor_reserve)ACCEPTOR_RESERVE_INIT;
	if (!w->reserve)
		w->reserve = &w->own_reserve;
	/* these fail only for other arguments than these */
	(void)sem_init(&w->begun, 0, 0);
	(void)sem_init(&w->go, 0, 0);
	if (w->wake_fd < 0)
		w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->wake_fd < 0)
		return -errno;
	w->state = calloc(1, size_max(backend->state_size, 1));
	r = w->state ? unsent_pool_init(&w->pool, w->config->max_unsent_total) : -ENOMEM;
	if (r == 0)
		r = conn_table_init(w, w->config->slots);
	if (r < 0)
		worker_free(w);
	return r;
}

static bool worker_has_listener(const struct worker *w, int fd)
{
	for (unsigned i = 0; i < w->listener_count; i++) {
		if (w->listeners[i] == fd)
			return true;
	}
	return false;
}

/* From here on no other thread shares its descriptors, so the kernel need not count who uses one.
 * The copies of other workers' listeners go: they would outlive those. */
static int worker_unshare(struct worker *w)
{
	if (unshare(CLONE_FILES) < 0)
		return -errno;
	for (unsigned i = 0; i < w->all_listener_count; i++) {
		if (!worker_has_listener(w, w->all_listeners[i]))
			close(w->all_listeners[i]);
	}
	return 0;
}

/* What only its own thread may do before the loop runs. */
static int worker_begin(struct worker *w)
{
	const struct backend_ops *backend = w->config->backend;
	int r = 0;

	if (w->cpu >= 0) {
		cpu_set_t one;

		CPU_ZERO(&one);
		CPU_SET((unsigned)w->cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) < 0)
			return -errno;
	}
	if (w->config->own_descriptors)
		r = worker_unshare(w);
	if (r == 0)
		r = backend->init(w);
	if (r == 0 && w->config->settle)
		w->config->settle();
	return r;
}

/* Nobody is accepted before all workers of a program are prepared. */
static int worker_listen(struct worker *w)
{
	const struct backend_ops *backend = w->config->backend;
	int r = 0;

	for (unsigned i = 0; i < w->listener_count && r == 0; i++)
		r = backend->listen(w, w->listeners[i]);
	return r;
}

static void worker_wait(sem_t *s)
{
	while (sem_wait(s) < 0)
		; /* EINTR */
}

int worker_await(struct worker_call *call)
{
	worker_wait(&call->done);
	(void)sem_destroy(&call->done);
	return call->result;
}

/* Starts the backend, and accepts when it is told to. Returns whether the loop is to run. */
static bool worker_set_out(struct worker *w)
{
	w->tid = gettid();
	w->begun_error = worker_begin(w);
	(void)sem_post(&w->begun);
	if (w->begun_error < 0)
		return false;
	worker_wait(&w->go);
	w->now_ns = clock_now_ns(); /* it may have been long */
	timers_init(&w->timers, w->now_ns);
	w->begun_error = w->abandoned ? -ECANCELED : worker_listen(w);
	if (w->begun_error < 0)
		w->config->backend->fini(w);
	w->error = w->begun_error;
	(void)sem_post(&w->begun);
	return w->error == 0;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	if (!worker_set_out(w))
		return NULL;
	w->role->start(w);
	worker_loop(w);
	worker_end_calls(w);
	w->config->backend->fini(w);
	worker_close_listeners(w); /* what an error left open; nobody else may reach it */
	conn_abandon(w);           /* WORKER_QUIT does not wait for what is in flight */
	atomic_store(&w->cpu_ns, clock_thread_cpu_ns());
	atomic_store(&w->wait_ns, clock_thread_wait_ns());
	atomic_store(&w->done, true);
	if (w->done_fd >= 0)
		worker_signal(w->done_fd, WORKER_ENDED);
	return NULL;
}

/* Waits until the thread has taken its next step. Where it has ended, nothing is left of it. */
static int worker_begun(struct worker *w)
{
	worker_wait(&w->begun);
	if (w->begun_error == 0)
		return 0;
	(void)pthread_join(w->thread, NULL);
	worker_free(w);
	return w->begun_error;
}

int worker_prepare(struct worker *w)
{
	sigset_t all, old;
	int r;

	assert(w->config && w->role && w->conns);
	r = worker_init(w);
	if (r < 0)
		return r;
	w->abandoned = false;
	/* signals are main's business: every worker is born with all of them blocked */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r == 0)
		return worker_begun(w);
	worker_free(w);
	return r;
}

int worker_go(struct worker *w)
{
	(void)sem_post(&w->go);
	return worker_begun(w);
}

void worker_abandon(struct worker *w)
{
	w->abandoned = true;
	(void)worker_go(w);
}

void worker_stop(struct worker *w, enum worker_stop how)
{
	int now = atomic_load(&w->stop);

	while (now < (int)how && !atomic_compare_exchange_weak(&w->stop, &now, (int)how))
		;
	worker_signal(w->wake_fd, 1);
}

void worker_wake(struct worker *w)
{
	worker_signal(w->wake_fd, 1);
}

void worker_post(struct worker *w, struct worker_call *call)
{
	struct worker_call *none = NULL;

	assert(call->run);
	(void)sem_init(&call->done, 0, 0); /* fails only for other arguments than these */
	if (atomic_compare_exchange_strong(&w->call, &none, call)) {
		worker_wake(w);
		return;
	}
	assert(none == &worker_over);
	worker_finish_call(call, -ECANCELED);
}

int worker_join(struct worker *w)
{
	int r = pthread_join(w->thread, NULL);

	assert(r == 0);
	(void)r;
	worker_fini(w);
	return w->error;
}

bool worker_done(const struct worker *w)
{
	return atomic_load(&w->done);
}
