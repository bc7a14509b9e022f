/* SPDX-License-Identifier: MIT
 * opts: the configuration of echoload.
 */
#ifndef ECHOLOAD_OPTS_H
#define ECHOLOAD_OPTS_H

#include <stdint.h>

#include "echo/base/cpu_list.h"
#include "echo/base/program.h"
#include "echo/net/net_opt.h"
#include "echo/net/sock.h"
#include "part.h"
#include "size.h"
#include "srcaddr.h"

struct backend_ops;
struct opt;
struct opt_set;

enum reconnect_mode { RECONNECT_NEVER, RECONNECT_IMMEDIATE, RECONNECT_BACKOFF };

struct reconnect_policy {
	enum reconnect_mode mode;
	int64_t min_ns, max_ns; /* backoff: first upper bound of the wait, and the highest */
};

enum arrivals { ARRIVALS_CONSTANT, ARRIVALS_POISSON };
enum close_mode { CLOSE_FIN, CLOSE_RST };

/* Files that a run writes: options, each with its help. Their formats are in report/report.h. */
#define LOAD_FILES(X)                                                                              \
	X(json, "write the result to this file too, as JSON")                                      \
	X(jsonl, "write what happens to this file while it runs, a JSON object a line")            \
	X(csv, "write the intervals to this file, as a table")                                     \
	X(hist, "write latency to this file: NAME.hgrm is text by percentile, NAME.hlog a log of " \
		"HdrHistogram")
#define LOAD_FILE_NAME(key_, help_) char key_[OPT_TEXT_MAX];

/* How far the clock of this host is ahead of part 1's, as somebody has measured it. */
struct clock_offset {
	bool known;
	int64_t offset_ns, uncertainty_ns;
};

struct load_config {
	struct program_options program;
	unsigned connections; /* in total */
	unsigned threads;     /* 0: one for each CPU */
	int64_t duration;     /* after the warm-up */
	uint64_t messages;    /* instead of a duration; 0: duration counts */
	struct sizes size;    /* of a message */
	double rate;       /* open loop: messages each second of all connections; 0: closed loop */
	unsigned arrivals; /* enum arrivals */
	unsigned idle;     /* connections that are held open beside those that send */
	uint64_t churn;    /* a new connection after this many messages; 0: none */
	unsigned close;    /* enum close_mode */
	unsigned connect_rate; /* attempts each second; 0: no limit */
	struct srcaddr_range source;
	bool ipv4, ipv6; /* only addresses of this family */
	unsigned pipeline;
	int64_t warmup;
	int64_t timeout; /* for the answer; 0: off */
	int64_t connect_timeout;
	struct reconnect_policy reconnect;
	bool verify;
	int64_t grace, stall, interval;
	const struct backend_ops *backend; /* NULL: auto */
	struct cpu_list cpus;
	int64_t busy_poll;
	bool own_descriptors;
	uint64_t seed;
	struct sock_options sock;
	uint64_t max_errors;           /* connections and messages that may end in errors */
	int64_t max_p99, max_downtime; /* 0: no limit */
	double min_rate;               /* 0: no limit */
	bool interactive, textbook;
	bool ignore_errors;        /* -i */
	unsigned output;           /* enum report_printed */
	unsigned progress;         /* enum progress_mode */
	LOAD_FILES(LOAD_FILE_NAME) /* "": none */
	int64_t start_at;          /* ns since the epoch; 0: at once */
	struct part part;
	char targets[OPT_TEXT_MAX]; /* a file; "": none */
	char run_id[PART_TEXT_MAX]; /* what all parts of a run have alike; "": nothing */
	struct clock_offset clock;
	unsigned gate; /* a descriptor; 0: none */
};

extern const struct opt_type opt_reconnect, opt_start_at, opt_clock;
extern const struct opt load_opts[];
extern const char load_after[]; /* the end of --help */

/* Splits "A..B" (or "A", which is A..A) into two values of @row's type. Returns 0, or -EINVAL with
 * @why set. */
int opts_range_parse(const struct opt *row, const char *text, void *low, void *high, char *why);

/* Checks across rows, and the defaults that depend on other rows (-n without -w: no warm-up).
 * Returns 0, or -EINVAL with s->error set. */
int load_check(struct opt_set *s, struct load_config *c, const struct backend_ops *backend);

/* The family that addresses of targets must have: AF_INET, AF_INET6, or AF_UNSPEC for both. */
int load_family(const struct load_config *c);

/* Checks what a unix socket cannot honour: with @unix_count of @count targets being one. What is
 * TCP's is of use where there is another target. */
int load_check_unix(struct opt_set *s, const struct load_config *c, unsigned unix_count,
		    unsigned count);

/* Checks --start-at, which has passed when later phases are run. */
int load_check_start(struct opt_set *s, const struct load_config *c);

#endif
