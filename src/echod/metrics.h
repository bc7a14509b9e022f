/* SPDX-License-Identifier: MIT
 * metrics: the counters of the workers as text: a report for people, and all there is for
 * Prometheus.
 */
#ifndef ECHOD_METRICS_H
#define ECHOD_METRICS_H

#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>

#include "echo/base/prom.h"
#include "echo/net/metrics_server.h"

struct backend_ops;
struct helper;
struct worker_group;

/* Writes the counters in Prometheus' text exposition format, a line for each worker. Causes that
 * have not happened are left out, and whatever is so only at this moment. From any thread, while
 * the workers run. */
void metrics_report(FILE *to, const struct worker_group *group);

/* What shows them to Prometheus. */
struct metrics {
	struct metrics_server server;     /* its options are the caller's to set */
	const struct worker_group *group; /* the caller's to set, too */
	struct helper *helper;            /* the same: does with files what we may not */
	_Atomic unsigned max_conns;
	const struct backend_ops *backend;
	struct prom_process process;
	DIR **fds; /* of each worker that has a table of its own; NULL: none has */
};

/* All workers of @group are prepared: opens what the options ask for, as metrics_server_open does.
 */
int metrics_open(struct metrics *m, bool join, struct opt_set *set);

/* How many connections there may be from now on. */
static inline void metrics_limit(struct metrics *m, unsigned max_conns)
{
	atomic_store_explicit(&m->max_conns, max_conns, memory_order_relaxed);
}

/* They run: serves. Returns 0 or -errno. */
int metrics_start(struct metrics *m);
/* A line in the log that says where. */
void metrics_announce(const struct metrics *m);

/* A takeover is over: from now on it is alone. */
void metrics_stay(struct metrics *m);

/* The last look at workers, which may have ended but must not be joined yet. */
void metrics_stop(struct metrics *m);

/* The same, but a successor shows its own from now on. */
void metrics_leave(struct metrics *m);

#endif
