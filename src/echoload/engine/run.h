/* SPDX-License-Identifier: MIT
 * run: one run of the load, from the first thread to the result.
 */
#ifndef ECHOLOAD_RUN_H
#define ECHOLOAD_RUN_H

#include "echo/net/worker.h"
#include "echo/net/worker_group.h"
#include "echoload/watch/clock_steps.h"
#include "echoload/watch/pauses.h"
#include "load.h"
#include "series.h"

struct backend_choice;
struct hist;
struct load_metrics;
struct result;
struct outputs;

struct run {
	const char *phase;            /* of a profile; NULL: it has none */
	struct load_metrics *metrics; /* NULL: none are shown */
	struct net_config net;
	struct role role;
	struct load_run shared;
	struct load *loads; /* one for each worker */
	struct worker_group group;
	struct series series;
	struct pauses pauses;
	struct clock_steps clock;
	struct hist *uncorrected, *lateness, *connect;
	struct hist *of_targets[TARGETS_MAX]; /* latency of each, if there are several */
};

/* How many threads this configuration means. */
unsigned run_threads(const struct load_config *c);

/* Reserves everything: threads, connections, payload, histograms. Returns 0 or -errno. */
int run_init(struct run *r, const struct load_config *c, const struct backend_choice *b);
void run_fini(struct run *r);

/* Runs to the end, or until SIGINT or SIGTERM, and tells @to how it gets on (NULL: nobody). Fills
 * what @result has from the run; pointers in it stay valid until run_fini. Returns 0, -EPROTO
 * (what came through the gate made no sense, which has been logged), or -errno: a worker failed. */
int run_load(struct run *r, struct result *result, struct outputs *to);

#endif
