/* SPDX-License-Identifier: MIT
 * result: all that a run found, as reporters see it. Nothing here changes any more.
 */
#ifndef ECHOLOAD_RESULT_H
#define ECHOLOAD_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "books.h"
#include "bottleneck.h"
#include "echo/base/addr.h"
#include "echo/lab/tcp_counters.h"
#include "echoload/engine/interval.h"
#include "echoload/watch/outage.h"
#include "echoload/watch/pauses.h"

struct hist;
struct load_config;
struct opt_set;
struct provenance;

enum {
	RESULT_REASON_MAX = 256,
	/* a histogram that is coarse enough to be kept for every interval: the first bucket is
	 * below 2^10 ns, each doubling above it has four, the last one, from 32 minutes on, has
	 * no upper end */
	BUCKETS_PER_DOUBLING = 4,
	BUCKETS = 31 * BUCKETS_PER_DOUBLING + 1,
};

/* A histogram in ten numbers; nanoseconds. */
struct latency {
	uint64_t count;
	int64_t min, mean, p50, p90, p99, p99_9, p99_99, max;
};

/* What happened in a part of the run. Times are ns since its start. */
struct interval {
	int64_t begin_ns, end_ns;
	struct interval_counts counts;
	uint32_t open; /* connections, at its end */
	struct latency
		latency; /* of all messages that were echoed in it, those of the warm-up too */
	uint64_t buckets[BUCKETS]; /* the same messages; result_bucket_ns */
};

/* One target's part of it. */
struct target_result {
	const char *name;            /* as it was given */
	char address[ADDR_TEXT_MAX]; /* the one of its addresses that was used */
	uint32_t requested;          /* connections */
	struct books books;
	struct hist *latency; /* of measured messages, to two digits; NULL: it is the only target,
				 or that is not known */
};

/* How much of a load in parts a sum has. */
struct merged_parts {
	uint32_t count, present;
	char missing[RESULT_REASON_MAX / 4]; /* "3, 5-7"; "": none */
	uint64_t connections, missing_connections;
	int64_t spread_ns;      /* the last one began as long after the first */
	int64_t uncertainty_ns; /* of their clocks; -1: they were not measured */
	int64_t stepped_ns;     /* the most that one of their clocks was set */
	uint32_t stepped;       /* that part; 0: none */
};

struct result {
	const struct load_config *config; /* what this process was asked for: its share */
	const struct load_config *whole;  /* that of which it is a part; NULL: of nothing */
	const struct opt_set *opts;       /* the effective configuration as text, and its origins */
	const struct provenance *provenance; /* NULL: not known */
	int argc;
	char *const *argv;             /* the command line as it was given */
	const char *phase;             /* of a profile that was run; NULL: it has none */
	const char *backend;           /* the one that ran */
	const char *backend_why;       /* what better ones lack, or "" */
	struct target_result *targets; /* room for as many as it has */
	unsigned target_count;
	unsigned threads;
	struct books books;
	const struct hist *latency;     /* measured messages, ns */
	const struct hist *outside;     /* those of them that came while no outage was open */
	const struct hist *uncorrected; /* from the time of sending; closed loop: the same */
	const struct hist *lateness;    /* open loop: of sends, by the generator's own fault, ns */
	uint64_t late_sends;            /* by more than LOAD_LATE_NS */
	const struct hist *connect;     /* how long connects took, ns */
	const struct outage *outages;   /* times are ns since the start of the run, -1: never */
	unsigned outage_count;
	uint64_t outages_unlisted;
	const struct service_row *service; /* of a part of a load; since the start of the run */
	unsigned service_count;
	const struct interval *intervals;
	unsigned interval_count;
	uint64_t intervals_unlisted;
	int64_t start_unix_ns;
	int64_t start_skew_ns;    /* after --start-at */
	int64_t clock_stepped_ns; /* by how much the clock of this host was set while it ran */
	int64_t duration_ns;      /* from the start to the last event */
	int64_t measure_begin_ns, measure_end_ns; /* since the start of the run */
	int64_t cpu_ns;                           /* of all worker threads */
	int64_t busy_poll_ns;                     /* of these: in looking for events */
	int64_t steal_ns;                         /* of this machine while it ran; -1: not known */
	int64_t wait_ns;      /* of worker threads that were ready, but had no CPU; -1: not known */
	double quota;         /* CPUs that our control group may use; 0: no limit */
	uint64_t throttled;   /* periods in which a group had used up its quota */
	int64_t throttled_ns; /* for how long, all CPUs together */
	struct pauses pauses; /* since the start of the run */
	struct tcp_counters tcp; /* of this host, by how much they moved; -1: not known */
	enum bottleneck bottleneck;
	enum bottleneck_reason bottleneck_reason;
	bool interrupted;
	int interrupted_by;                    /* signal */
	struct json_t *merged, *merged_config; /* a sum of results: what each is; what all have */
	struct json_t *merged_parts;           /* what is there of a load in parts; NULL: none is */
	const struct merged_parts *parts;      /* the same */
	const char *merged_how;                /* NULL: it is none */
	unsigned merged_count;
	unsigned processes; /* that made the load side by side; 0: one */
	int exit_code;      /* verdict.h */
	char exit_reason[RESULT_REASON_MAX];
};

/* Zeros when it is empty. */
void result_latency(const struct hist *h, struct latency *l);

/* The least latency that belongs to bucket @i; of the first one 0. */
int64_t result_bucket_ns(unsigned i);

/* Sorts what @h has counted into buckets. The finer counters of @h have the same bounds, so that no
 * message falls into a neighbour of its bucket. */
void result_buckets(const struct hist *h, uint64_t buckets[BUCKETS]);

/* Echoes per second in it. */
double result_interval_rate(const struct interval *i);

/* Messages per second of the measured part that were echoed; 0 when nothing was measured. */
double result_rate(const struct result *r);

/* Connections that were made per second of the whole run. */
double result_connect_rate(const struct result *r);

/* Bytes per second that they carried, in each direction: their number times the mean size of all
 * messages that were echoed. */
double result_byte_rate(const struct result *r);

/* NULL if the books and the histograms agree in every way (docs/results.md, "The books"), else
 * static text that names the identity that does not hold. */
const char *result_check(const struct result *r);

#endif
