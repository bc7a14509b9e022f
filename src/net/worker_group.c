/* SPDX-License-Identifier: MIT
 * worker_group: the workers of a program. Its main thread only waits: on a signalfd, and on the
 * eventfd that every worker writes when it ends.
 */
#include "echo/net/worker_group.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/cpu_list.h"
#include "echo/net/backend.h"
#include "echo/net/net_opt.h"

/* Before any thread runs, so that workers with a table of descriptors each can wake one another. */
static int worker_group_wake_fds(struct worker_group *g)
{
	for (unsigned i = 0; i < g->count; i++) {
		g->workers[i].wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (g->workers[i].wake_fd < 0)
			return -errno;
	}
	return 0;
}

int worker_group_init(struct worker_group *g, unsigned count, const struct net_config *config,
		      const struct cpu_list *cpus)
{
	bool pin = !cpus->all && !(config->backend->caps & BACKEND_SINGLE);

	assert(count > 0);
	*g = (struct worker_group){
		.count = count, .done_fd = -1, .signal_fd = -1, .reserve = ACCEPTOR_RESERVE_INIT
	};
	/* the processes of a single worker inherit where it may run: they share the CPUs */
	if (!cpus->all && !pin && sched_setaffinity(0, sizeof(cpus->set), &cpus->set) < 0)
		return -errno;
	g->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->done_fd < 0)
		return -errno;
	g->workers = calloc(count, sizeof(*g->workers));
	if (!g->workers)
		return -ENOMEM;
	/* as many addresses as connections can be open, ever, and more that are still closing */
	limit_init(&g->limit, config->slots_max + count * config->slots);
	if (config->max_conns_per_address != 0 && limit_open(&g->limit) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < count; i++) {
		struct worker *w = &g->workers[i];

		w->config = config;
		w->limit = &g->limit;
		w->conns = &g->conns;
		w->reserve = config->own_descriptors ? NULL : &g->reserve;
		w->index = i;
		w->peers = g->workers;
		w->peer_count = count;
		w->cpu = pin ? cpu_list_nth(cpus, i) : -1;
		w->done_fd = g->done_fd;
		w->wake_fd = -1;
	}
	return worker_group_wake_fds(g);
}

/* Those that are prepared, from number @from on. */
static void worker_group_abandon(struct worker_group *g, unsigned from)
{
	while (g->prepared > from)
		worker_abandon(&g->workers[--g->prepared]);
}

void worker_group_fini(struct worker_group *g)
{
	worker_group_abandon(g, g->running);
	for (unsigned i = g->running; g->workers && i < g->count; i++) {
		struct worker *w = &g->workers[i];

		while (w->listener_count > 0)
			close(w->listeners[--w->listener_count]);
		if (w->wake_fd >= 0)
			close(w->wake_fd);
	}
	free(g->workers);
	free(g->listeners);
	limit_fini(&g->limit);
	g->workers = NULL;
	g->listeners = NULL;
	if (g->done_fd >= 0)
		close(g->done_fd);
	if (g->signal_fd >= 0)
		close(g->signal_fd);
	g->done_fd = g->signal_fd = -1;
}

int worker_group_signals(struct worker_group *g, const sigset_t *mask)
{
	sigset_t blocked;
	int fd;

	signal(SIGPIPE, SIG_IGN);
	if (g->signal_fd < 0)
		pthread_sigmask(SIG_BLOCK, NULL, &g->found);
	sigorset(&blocked, &g->found, mask);
	/* a backend with processes waits for it: it must not be delivered here, to be ignored */
	sigaddset(&blocked, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL); /* before those that go are let through */
	fd = signalfd(g->signal_fd, mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	g->signal_fd = fd;
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	return 0;
}

/* Workers that have a table of descriptors each must know whose listeners are in it. */
static int worker_group_share_listeners(struct worker_group *g)
{
	g->listeners = calloc((size_t)g->count * WORKER_LISTENERS_MAX, sizeof(*g->listeners));
	if (!g->listeners)
		return -ENOMEM;
	for (unsigned i = 0; i < g->count; i++) {
		struct worker *w = &g->workers[i];

		for (unsigned k = 0; k < w->listener_count; k++)
			g->listeners[g->listener_count++] = w->listeners[k];
	}
	for (unsigned i = 0; i < g->count; i++) {
		g->workers[i].all_listeners = g->listeners;
		g->workers[i].all_listener_count = g->listener_count;
	}
	return 0;
}

static int worker_group_prepare_all(struct worker_group *g)
{
	int r = 0;

	while (g->prepared < g->count && r == 0) {
		r = worker_prepare(&g->workers[g->prepared]);
		g->prepared += r == 0;
	}
	if (r < 0)
		worker_group_abandon(g, 0);
	return r;
}

int worker_group_prepare(struct worker_group *g, struct net_config *config,
			 struct backend_choice *b)
{
	int r = config->own_descriptors ? worker_group_share_listeners(g) : 0;

	config->workers = g->count;
	if (r < 0) {
		b->why = strerrordesc_np(-r);
		return r;
	}
	do {
		r = worker_group_prepare_all(g);
	} while (r < 0 && backend_instead(b, config, -r));
	return r;
}

int worker_group_start(struct worker_group *g)
{
	int r = 0;

	while (g->running < g->count && r == 0) {
		r = worker_go(&g->workers[g->running]);
		g->running += r == 0;
	}
	if (r < 0) {
		worker_group_abandon(g, g->running + 1); /* nothing is left of that one */
		g->prepared = g->running;
	}
	/* the workers' own copies are the ones that serve */
	for (unsigned i = 0; r == 0 && i < g->listener_count; i++)
		close(g->listeners[i]);
	return r;
}

void worker_group_stop(struct worker_group *g, enum worker_stop how)
{
	for (unsigned i = 0; i < g->running; i++)
		worker_stop(&g->workers[i], how);
}

void worker_group_watch(struct worker_group *g, const int *fds, unsigned count)
{
	assert(count <= WORKER_GROUP_WATCHED_MAX);
	g->watched = fds;
	g->watched_count = count;
}

void worker_group_tick(struct worker_group *g, int64_t every_ns, void (*tick)(void *arg), void *arg)
{
	g->tick = tick;
	g->tick_arg = arg;
	g->tick_every_ns = every_ns;
	g->tick_ns = clock_now_ns() + every_ns;
}

void worker_group_ask(struct worker_group *g, uint32_t n)
{
	for (unsigned i = 0; i < g->running; i++) {
		atomic_store(&g->workers[i].life_asked, n);
		worker_wake(&g->workers[i]);
	}
}

bool worker_group_alive(const struct worker_group *g, uint32_t n)
{
	for (unsigned i = 0; i < g->running; i++) {
		const struct worker *w = &g->workers[i];

		if (!worker_done(w) && atomic_load(&w->life_answered) != n)
			return false;
	}
	return true;
}

int worker_group_run_tick(struct worker_group *g, int timeout_ms)
{
	int64_t left_ns = g->tick_ns - clock_now_ns();
	int left_ms;

	if (g->tick_every_ns == 0)
		return timeout_ms;
	if (left_ns <= 0) {
		g->tick_ns = clock_now_ns() + g->tick_every_ns;
		left_ns = g->tick_every_ns;
		g->tick(g->tick_arg);
	}
	left_ms = left_ns < SEC(3600) ? (int)(left_ns / MSEC(1)) + 1 : 3600 * 1000;
	return timeout_ms < 0 || left_ms < timeout_ms ? left_ms : timeout_ms;
}

int worker_group_wait(struct worker_group *g, int timeout_ms)
{
	struct pollfd p[2 + WORKER_GROUP_WATCHED_MAX] = { { g->signal_fd, POLLIN, 0 },
							  { g->done_fd, POLLIN, 0 } };
	struct signalfd_siginfo info;
	uint64_t news;

	for (unsigned i = 0; i < g->watched_count; i++)
		p[2 + i] = (struct pollfd){ g->watched[i], POLLIN, 0 };
	/* EINTR, and nothing at all, are an early end of the wait */
	(void)poll(p, 2 + g->watched_count, worker_group_run_tick(g, timeout_ms));
	if (read(g->done_fd, &news, sizeof(news)) == sizeof(news)) {
		g->done += (unsigned)(news / WORKER_ENDED);
		g->told |= news % WORKER_ENDED != 0;
	}
	if (read(g->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	g->signal_code = info.ssi_code;
	return (int)info.ssi_signo;
}

void worker_group_heard(struct worker_group *g)
{
	g->told = false;
	for (unsigned i = 0; i < g->count; i++)
		(void)atomic_exchange(&g->workers[i].told, false);
}

bool worker_group_failed(const struct worker_group *g)
{
	bool failed = false;

	for (unsigned i = 0; i < g->running; i++)
		failed |= worker_done(&g->workers[i]) && g->workers[i].error < 0;
	return failed;
}

int worker_group_join(struct worker_group *g)
{
	int r = 0;

	for (unsigned i = 0; i < g->running; i++) {
		int e = worker_join(&g->workers[i]);

		if (e < 0 && r == 0)
			r = e;
	}
	return r;
}
