/* SPDX-License-Identifier: MIT
 * series: main's side of intervals: adds up what the workers hand over at a boundary, makes a row
 * of it, and passes rows and outages on while the run goes on.
 */
#ifndef ECHOLOAD_SERIES_H
#define ECHOLOAD_SERIES_H

#include <stdint.h>

#include "echoload/result/result.h"
#include "interval.h"

enum {
	SERIES_ROWS_MAX = 10000, /* that a result lists; streams get all */
};

struct outage_watch;
struct run;
struct outputs;

/* What main knows of one worker. */
struct series_worker {
	struct interval_counts counts; /* when it last handed over */
	int64_t end_ns;                /* the boundary then; INT64_MAX: it has ended */
};

struct series {
	struct run *run;
	struct outputs *outputs;        /* gets rows and outages; NULL: nobody does */
	struct hist *latency, *outside; /* of the whole run: all, and while no outage was open */
	struct hist *now;               /* of the row that is collected */
	struct series_worker *workers;  /* one for each worker */
	struct interval_counts total, before; /* of all workers; the same when the row began */
	int64_t begin_ns,
		end_ns; /* of the row that is collected: monotonic; end: handed over so far */
	struct interval *rows; /* that have been closed */
	unsigned count;
	uint64_t unlisted;
	int64_t p99_ns;             /* of the last row; 0: it had no message */
	unsigned opened, recovered; /* outages that were passed on so */
};

/* Reserves all. Returns 0 or -ENOMEM. */
int series_init(struct series *s, struct run *run);
void series_fini(struct series *s);

/* The run begins. */
void series_start(struct series *s, struct outputs *to);
/* How long main may sleep. */
int series_wait_ms(const struct series *s);
/* Collects what is there. */
void series_poll(struct series *s);
/* All workers have ended, the last event was @duration_ns after the start: the rest is a row too.
 */
void series_finish(struct series *s, int64_t duration_ns);

#endif
