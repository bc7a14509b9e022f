/* SPDX-License-Identifier: MIT
 * metrics: the counters of the workers, in Prometheus' text exposition format (version 0.0.4). They
 * are read while the workers run: each counter is exact, their sum at an instant is not.
 *
 * There are no totals beside what each worker counts: a query that adds up would count all twice.
 */
#include "metrics.h"

#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "echo/base/base.h"
#include "echo/base/cause.h"
#include "echo/base/log.h"
#include "echo/base/program.h"
#include "echo/net/backend.h"
#include "echo/net/worker_group.h"
#include "echod/sandbox/helper.h"

struct metric {
	const char *name, *type, *help;
	size_t offset;                           /* of the counter in struct stats */
	uint64_t (*get)(const struct worker *w); /* of what is so now only; NULL: that counter */
};

static uint64_t pool_size(const struct worker *w)
{
	return (uint64_t)w->pool.blocks * UNSENT_BLOCK;
}

static uint64_t pool_used(const struct worker *w)
{
	return (uint64_t)(w->pool.blocks - unsent_free(&w->pool)) * UNSENT_BLOCK;
}

static const struct metric metrics[] = {
	{ "echod_connections_accepted_total", "counter",
	  "Connections accepted, shed ones included.", offsetof(struct stats, opened), NULL },
	{ "echod_connections_adopted_total", "counter",
	  "Connections that another process had accepted, and handed over.",
	  offsetof(struct stats, adopted), NULL },
	{ "echod_connections_given_total", "counter",
	  "Connections accepted, and given to a worker that had fewer.",
	  offsetof(struct stats, given), NULL },
	{ "echod_connections_open", "gauge", "Connections open now.", offsetof(struct stats, open),
	  NULL },
	{ "echod_accept_errors_total", "counter",
	  "Times that accept failed: no descriptors, no memory.",
	  offsetof(struct stats, accept_errors), NULL },
	{ "echod_received_bytes_total", "counter", "Bytes received.",
	  offsetof(struct stats, bytes_in), NULL },
	{ "echod_sent_bytes_total", "counter", "Bytes that the sockets accepted.",
	  offsetof(struct stats, bytes_out), NULL },
	{ "echod_echoes_total", "counter",
	  "Receives whose bytes go back: one, or a part, or several of a client's messages.",
	  offsetof(struct stats, echoes), NULL },
	{ "echod_read_pauses_total", "counter",
	  "Times that reading from a connection stopped until its peer had taken what it is owed.",
	  offsetof(struct stats, paused), NULL },
	{ "echod_pool_waits_total", "counter", "Times that reading waited for room in the pool.",
	  offsetof(struct stats, starved), NULL },
	{ "echod_pool_used_bytes", "gauge", "Memory that holds unsent bytes now.", 0, pool_used },
	{ "echod_pool_size_bytes", "gauge", "Memory that may hold unsent bytes.", 0, pool_size },
	{ "echod_connections_cut_off_total", "counter",
	  "Connections ended because a drain had taken its time.", offsetof(struct stats, cut_off),
	  NULL },
	{ "echod_receives_without_buffer_total", "counter",
	  "Receives of io_uring that found no buffer in the ring (ENOBUFS) and were tried again.",
	  offsetof(struct stats, no_buffer), NULL },
	{ "echod_completion_overflows_total", "counter",
	  "Turns of io_uring that found more completions than their queue has room for.",
	  offsetof(struct stats, overflowed), NULL },
};

struct metric_hist {
	const char *name, *help;
	size_t offset;     /* of a struct stats_hist in struct stats */
	unsigned step;     /* STATS_STEP_... */
	double bound, sum; /* what the first bound, and 1 of the sum, are in the metric's unit */
};

static const struct metric_hist hists[] = {
	{ "echod_loop_events", "Events that a turn of a worker's loop delivered.",
	  offsetof(struct stats, events), STATS_STEP_EVENTS, 1, 1 },
	{ "echod_loop_duration_seconds",
	  "How long a turn of a worker's loop took, its wait left out; one turn in 16 is timed.",
	  offsetof(struct stats, turns), STATS_STEP_TIME, STATS_TIME_NS / 1e9, 1e-9 },
};
static_assert(STATS_TIMED_EVERY == 16, "the help says so");

static void metrics_row(FILE *to, const struct worker_group *g, const struct metric *m)
{
	prom_head(to, m->name, m->type, m->help);
	for (unsigned i = 0; i < g->count; i++) {
		const struct worker *w = &g->workers[i];
		const void *counter = (const char *)&w->stats + m->offset;

		fprintf(to, "%s{worker=\"%u\"} %" PRIu64 "\n", m->name, w->index,
			m->get ? m->get(w) : stats_get(counter));
	}
}

/* @all: causes that have not happened too, for whoever looks at how fast a counter grows. */
static void metrics_closed(FILE *to, const struct worker *w, bool all)
{
	for (unsigned cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++) {
		uint64_t n = stats_get(&w->stats.closed[cause]);

		if (n > 0 || all)
			fprintf(to,
				"echod_connections_closed_total{worker=\"%u\",cause=\"%s\"} "
				"%" PRIu64 "\n",
				w->index, cause_name((enum cause)cause), n);
	}
}

static void metrics_counters(FILE *to, const struct worker_group *g, bool all)
{
	for (size_t m = 0; m < ARRAY_LEN(metrics); m++) {
		if (all || !metrics[m].get)
			metrics_row(to, g, &metrics[m]);
	}
	prom_head(to, "echod_connections_closed_total", "counter", "Connections ended, by cause.");
	for (unsigned i = 0; i < g->count; i++)
		metrics_closed(to, &g->workers[i], all);
}

void metrics_report(FILE *to, const struct worker_group *group)
{
	metrics_counters(to, group, false);
	fprintf(to, "# EOF\n"); /* tells a reader of a pipe that this is all */
}

/* ---- what only Prometheus is told ---- */

static void metrics_hist(FILE *to, const struct worker *w, const struct metric_hist *m)
{
	const struct stats_hist *h = (const void *)((const char *)&w->stats + m->offset);
	uint64_t counts[STATS_BOUNDS + 1];
	double bounds[STATS_BOUNDS];
	char labels[32];

	for (unsigned i = 0; i <= STATS_BOUNDS; i++)
		counts[i] = stats_get(&h->counts[i]);
	for (unsigned i = 0; i < STATS_BOUNDS; i++)
		bounds[i] = m->bound * (double)(1ull << (m->step * i));
	snprintf(labels, sizeof(labels), "worker=\"%u\"", w->index);
	prom_hist(to, m->name,
		  &(struct prom_hist){ .labels = labels,
				       .bounds = bounds,
				       .counts = counts,
				       .count = STATS_BOUNDS,
				       .sum = (double)stats_get(&h->sum) * m->sum });
}

/* Of its thread; when that has ended, what it had then. */
static double metrics_cpu_s(const struct worker *w)
{
	struct timespec t;
	clockid_t clock;

	if (!worker_done(w) && pthread_getcpuclockid(w->thread, &clock) == 0 &&
	    clock_gettime(clock, &t) == 0)
		return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
	return (double)atomic_load(&w->cpu_ns) / 1e9;
}

static void metrics_threads(FILE *to, const struct metrics *m)
{
	const struct worker_group *g = m->group;

	prom_head(to, "echod_worker_cpu_seconds_total", "counter",
		  "CPU time of a worker's thread.");
	for (unsigned i = 0; i < g->count; i++)
		fprintf(to, "echod_worker_cpu_seconds_total{worker=\"%u\"} %.9f\n", i,
			metrics_cpu_s(&g->workers[i]));
	if (!m->fds)
		return;
	prom_head(to, "echod_worker_open_fds", "gauge",
		  "Open descriptors of a worker that has a table of its own.");
	for (unsigned i = 0; i < g->count; i++) {
		const int64_t n = m->fds[i] ? prom_count_fds(m->fds[i]) : -1;

		if (n >= 0)
			fprintf(to, "echod_worker_open_fds{worker=\"%u\"} %" PRId64 "\n", i, n);
	}
}

static void metrics_about(FILE *to, const struct metrics *m)
{
	char version[64], commit[64];

	prom_head(to, "echod_build_info", "gauge", "What runs; always 1.");
	fprintf(to, "echod_build_info{version=\"%s\",commit=\"%s\",backend=\"%s\"} 1\n",
		prom_label(program_version(), version, sizeof(version)),
		prom_label(program_commit(), commit, sizeof(commit)), m->backend->name);
	prom_head(to, "echod_connections_limit", "gauge",
		  "Connections of all workers together for which there is room.");
	fprintf(to, "echod_connections_limit %u\n",
		atomic_load_explicit(&m->max_conns, memory_order_relaxed));
}

static void metrics_print(FILE *to, void *arg)
{
	const struct metrics *m = arg;

	metrics_about(to, m);
	metrics_counters(to, m->group, true);
	for (size_t i = 0; i < ARRAY_LEN(hists); i++) {
		prom_head(to, hists[i].name, "histogram", hists[i].help);
		for (unsigned w = 0; w < m->group->count; w++)
			metrics_hist(to, &m->group->workers[w], &hists[i]);
	}
	metrics_threads(to, m);
	prom_process_print(to, &m->process);
}

/* ---- its life ---- */

static void metrics_failed(const char *path, int err)
{
	log_warn("cannot write metrics to %s: %s", path, strerror(-err));
}

static int metrics_begin(void *arg)
{
	struct helper_work w = { .task = HELPER_METRICS_BEGIN };
	int r = helper_ask(((struct metrics *)arg)->helper, &w);

	return r < 0 ? r : w.fd;
}

static int metrics_end(void *arg, bool keep)
{
	struct helper_work w = { .task = HELPER_METRICS_END, .keep = keep };

	return helper_ask(((struct metrics *)arg)->helper, &w);
}

static int metrics_path_end_by_helper(void *arg, bool keep)
{
	struct helper_work w = { .task = HELPER_METRICS_PATH, .keep = keep };

	return helper_ask(((struct metrics *)arg)->helper, &w);
}

static void metrics_remove_path(void *arg, const char *path, struct path_id id)
{
	helper_remove_path(((struct metrics *)arg)->helper, path, id);
}

/* Best effort: a process that may not see itself in /proc has no such metric. */
static void metrics_open_tables(struct metrics *m)
{
	m->fds = calloc(m->group->count, sizeof(*m->fds));
	for (unsigned i = 0; m->fds && i < m->group->count; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/proc/self/task/%d/fd",
			 (int)m->group->workers[i].tid);
		m->fds[i] = opendir(path);
	}
}

static void metrics_close(struct metrics *m)
{
	for (unsigned i = 0; m->fds && i < m->group->count; i++) {
		if (m->fds[i])
			(void)closedir(m->fds[i]);
	}
	free(m->fds);
	m->fds = NULL;
	prom_process_close(&m->process);
}

int metrics_open(struct metrics *m, bool join, struct opt_set *set)
{
	int r;

	m->server.print = metrics_print;
	m->server.failed = metrics_failed;
	m->server.file_begin = metrics_begin;
	m->server.file_end = metrics_end;
	m->server.remove_path = metrics_remove_path;
	m->server.path_end = metrics_path_end_by_helper;
	m->server.arg = m;
	if (metrics_server_descriptors(m->server.options) == 0)
		return 0;
	prom_process_open(&m->process);
	m->backend = m->group->workers[0].config->backend;
	if (m->group->workers[0].config->own_descriptors)
		metrics_open_tables(m);
	r = metrics_server_open(&m->server, join, set);
	if (r < 0)
		metrics_close(m);
	return r;
}

int metrics_start(struct metrics *m)
{
	return metrics_server_start(&m->server);
}

void metrics_announce(const struct metrics *m)
{
	char where[METRICS_WHERE_MAX];

	if (metrics_server_where(&m->server, where)[0])
		log_info("metrics at %s", where);
}

void metrics_stay(struct metrics *m)
{
	metrics_server_stay(&m->server);
}

void metrics_stop(struct metrics *m)
{
	metrics_server_stop(&m->server);
	metrics_close(m);
}

void metrics_leave(struct metrics *m)
{
	metrics_server_leave(&m->server);
	metrics_close(m);
}
