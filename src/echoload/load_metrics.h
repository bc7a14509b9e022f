/* SPDX-License-Identifier: MIT
 * load_metrics: how a run gets on, for Prometheus. Main takes a copy of what it knows at the end of
 * every --interval; what the workers tell all the time is looked at when it is asked for.
 */
#ifndef ECHOLOAD_LOAD_METRICS_H
#define ECHOLOAD_LOAD_METRICS_H

#include <pthread.h>
#include <stdint.h>

#include "echo/base/prom.h"
#include "echo/net/metrics_server.h"
#include "echoload/engine/interval.h"

struct opt_set;
struct run;
struct series;

enum { LOAD_METRICS_BOUNDS = 22 }; /* of latency: from 8 us to 17 s, each twice the one before */

struct load_metrics {
	struct metrics_server server; /* its options are the caller's to set */
	struct run *run;
	struct prom_process process;
	pthread_mutex_t lock; /* of what follows */
	struct interval_counts counts;
	uint64_t latency[LOAD_METRICS_BOUNDS + 1]; /* of each bound alone */
	double latency_sum_s;
};

/* All workers of @run are prepared: opens what the options ask for, as metrics_server_open does,
 * and serves. */
int load_metrics_start(struct load_metrics *m, struct run *run, struct opt_set *set);

/* Main, at the end of an interval. */
void load_metrics_interval(struct load_metrics *m, const struct series *s);

/* The workers have ended, and the last interval has. */
void load_metrics_stop(struct load_metrics *m);

#endif
