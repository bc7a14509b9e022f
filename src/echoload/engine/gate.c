/* SPDX-License-Identifier: MIT
 * gate: opens and shuts all workers for a slice of time, and says what came of it.
 */
#include "gate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/log.h"
#include "echo/base/output.h"
#include "echo/net/worker_group.h"
#include "load_conn.h"

int gate_init(struct gate *g, int fd, unsigned workers)
{
	*g = (struct gate){ .used = fd > 0, .fds = { fd, -1 } };
	if (!g->used)
		return 0;
	atomic_store(&g->working, workers);
	g->open = true; /* until all connections are there */
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	g->fds[1] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return g->fds[1] < 0 ? -errno : 0;
}

void gate_fini(struct gate *g)
{
	if (g->used && g->fds[1] >= 0)
		close(g->fds[1]);
}

/* ---- a worker ---- */

static void gate_shut(struct timer *t, int64_t now_ns)
{
	struct gate_seen *seen = container_of(t, struct gate_seen, timer);
	struct load *l = container_of(seen, struct load, gate);

	seen->shut = true;
	seen->shut_ns = now_ns;
	l->worker->pace_ns = 0;
}

void gate_start(struct load *l)
{
	l->gate = (struct gate_seen){ .timer.fire = gate_shut };
	gate_shut(&l->gate.timer, l->run->start_ns);
}

static void gate_resume(struct conn *c, void *arg)
{
	(void)arg;
	if (c->state == CONN_OPEN)
		sending_pump(c);
}

static void gate_open(struct load *l, unsigned slice)
{
	struct gate_seen *seen = &l->gate;

	seen->slice = slice;
	seen->shut = seen->resting = false;
	timer_set(&l->worker->timers, &seen->timer, atomic_load(&l->run->gate.shut_ns));
	if (load_is_open_loop(l))
		arrivals_resume(l, seen->shut_ns);
	conn_each(l->worker, gate_resume, NULL);
	seat_dial(l);
}

/* Whether nothing is under way. With churn seats wait for the next slice to be dialed. */
static bool gate_at_rest(const struct load *l)
{
	return l->owed == 0 && l->dialing == 0 && (!l->waiting || l->run->config->churn > 0);
}

void gate_turned(struct load *l)
{
	struct gate *g = &l->run->gate;
	struct gate_seen *seen = &l->gate;
	unsigned slice = atomic_load(&g->slice);
	const uint64_t one = 1;

	if (seen->slice != slice) {
		gate_open(l, slice);
	} else if (seen->shut && !seen->resting && gate_at_rest(l)) {
		seen->resting = true;
		if (atomic_fetch_sub(&g->working, 1) != 1)
			return;
		atomic_store(&g->rest_ns, clock_now_ns());
		if (write(g->fds[1], &one, sizeof(one)) < 0)
			log_error("gate: cannot wake the main thread"); /* an eventfd can not */
	}
}

/* ---- main ---- */

static uint64_t gate_echoed(const struct worker_group *group, const struct load *loads)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < group->count; i++)
		n += stats_get(&loads[i].progress_echoed);
	return n;
}

/* The slice is over. Who has gone is noticed by the next read. There is room for many answers: a
 * program that lets them pile up is not waited for. Returns 0 or -EPROTO. */
static int gate_answer(struct gate *g, const struct worker_group *group, const struct load *loads)
{
	uint64_t drop, echoed;
	int64_t took_ns;
	char line[64];
	int n;

	if (!g->open || read(g->fds[1], &drop, sizeof(drop)) != sizeof(drop))
		return 0;
	echoed = gate_echoed(group, loads);
	took_ns = g->open_ns ? atomic_load(&g->rest_ns) - g->open_ns : 0;
	g->open = false;
	n = snprintf(line, sizeof(line), "%llu %lld\n", (unsigned long long)(echoed - g->echoed),
		     (long long)took_ns);
	g->echoed = echoed;
	if (output_write(g->fds[0], line, (size_t)n, OUTPUT_NO_WAIT) != -ETIME)
		return 0;
	log_error("gate: its answers are not read");
	return -EPROTO;
}

static int gate_command(struct gate *g, struct worker_group *group)
{
	char *end;
	long long ns;

	errno = 0;
	ns = strtoll(g->line, &end, 10);
	if (g->open || errno != 0 || end == g->line || *end || ns <= 0 || ns > SEC(3600)) {
		log_error("gate: '%s' is not a time in nanoseconds%s", g->line,
			  g->open ? ", or came before the last one was answered" : "");
		return -EPROTO;
	}
	g->open = true;
	g->open_ns = clock_now_ns();
	atomic_store(&g->shut_ns, g->open_ns + ns);
	atomic_store(&g->working, group->running);
	atomic_fetch_add(&g->slice, 1);
	for (unsigned i = 0; i < group->running; i++)
		worker_wake(&group->workers[i]);
	return 0;
}

/* Takes what has been written, up to the end of a line. */
static int gate_read(struct gate *g, struct worker_group *group)
{
	struct pollfd p = { g->fds[0], POLLIN, 0 };

	while (poll(&p, 1, 0) == 1) {
		char *at = &g->line[g->length];

		if (read(g->fds[0], at, 1) != 1)
			return 1;
		if (*at == '\n') {
			*at = '\0';
			g->length = 0;
			return gate_command(g, group);
		}
		if (++g->length == sizeof(g->line)) {
			g->line[--g->length] = '\0';
			log_error("gate: '%s...' is too long a line", g->line);
			return -EPROTO;
		}
	}
	return 0;
}

int gate_poll(struct gate *g, struct worker_group *group, struct load *loads)
{
	int r;

	if (!g->used || g->ended)
		return 0;
	r = gate_answer(g, group, loads);
	if (r == 0)
		r = gate_read(g, group);
	g->ended = r != 0;
	return r;
}
