/* SPDX-License-Identifier: MIT
 * cell: one workload with two servers, what was measured of them, and what may be said about it.
 *
 * A block is two pairs of servers that were started for it, A1 B1 and A2 B2, which are loaded in
 * turn, a round of some milliseconds each (rounds.h). Of the logarithms of what they measured, B1 -
 * A1 and B2 - A2 are the difference of the sides; (A1 - A2 + B1 - B2) / 2 and (A1 - A2 - B1 + B2) /
 * 2 are what the same server differs from itself. So the noise floor costs no time of its own, and
 * what differs from one start of a server to the next is part of it.
 *
 * Pairs rather than blocks are compared: a server that was disturbed spoils one of them.
 */
#ifndef ECHOBENCH_CELL_H
#define ECHOBENCH_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/lab/paired.h"
#include "echobench/opts.h"

enum { REPLICATES = 2, BLOCK_SERVERS = 4, BLOCKS_MAX = 200, WHY_MAX = 320 };
static_assert(BLOCKS_MAX * REPLICATES <= PAIRED_MAX, "two pairs a block, and two values of noise");

enum side { SIDE_A, SIDE_B, SIDES };

struct workload {
	uint64_t connections, size, pipeline;
	enum load_mode mode;
};

/* One server's part of a block, or a round of it: the client's rate, and what the server used for
 * a message meanwhile. NAN: it is not known. */
struct sample {
	double rate;                     /* echoes each second */
	double cpu_ns, switches;         /* of the server, for a message */
	double client_cpu_ns;            /* of the client, for a message */
	double server_busy, client_busy; /* 1: all of its CPUs, all of its threads */
	double p50_ns, p99_ns;
	double key; /* what the client said of the key that is compared */
	unsigned rounds;
	/* of them: */
	unsigned stolen;    /* the hypervisor took CPU time */
	unsigned throttled; /* a quota was used up, or a CPU too hot */
	unsigned disturbed; /* another process had the CPU while server or client wanted it */
};

static inline double sample_field(const struct sample *s, size_t offset)
{
	double v;

	memcpy(&v, (const char *)s + offset, sizeof(v));
	return v;
}

struct block {
	struct sample at[SIDES][REPLICATES];
};

enum bottleneck { BOTTLENECK_UNKNOWN, BOTTLENECK_CLIENT, BOTTLENECK_SERVER };
enum figure { FIGURE_RATE, FIGURE_CPU, FIGURE_CLIENT_CPU, FIGURE_KEY, FIGURES };
enum winner { WINNER_NONE, WINNER_A, WINNER_B };

/* What can be compared. */
struct figure_info {
	const char *name, *text; /* of --compare and decided_by; of tables */
	const char *ratio;       /* its key in JSON */
	const char *what;        /* a part of "the client said no ..." */
	size_t offset;           /* in struct sample */
	bool more_is_better;
};
extern const struct figure_info figures[FIGURES];

/* The figure that --compare names; FIGURES: "auto"; < 0: none. */
int cell_figure(const char *compare);

/* B / A of one quantity; all logarithms, NAN where it is not known of all servers. */
struct comparison {
	struct paired ratio, noise;
};

struct cell {
	const struct bench_config *config;
	struct workload load;
	const char *server[SIDES]; /* backend or command, as given; NULL: it needs none */
	const char *client[SIDES]; /* command, as given; "": echoload */
	const char *name[SIDES];   /* the one of them by which the sides differ */
	struct block *blocks;      /* BLOCKS_MAX */
	unsigned block_count, failed_blocks;
	unsigned warm_rounds;
	bool stationary; /* the warm-up ended because the rate stood still */
	bool precise;    /* the interval became as narrow as asked */
	int64_t spent_ns;
	double syscalls[SIDES]; /* for a message; < 0: -errno, not measured */
	char why[WHY_MAX];      /* why it was not measured, or not to the end */
	/* verdict */
	struct sample middle[SIDES]; /* medians */
	struct comparison of[FIGURES];
	enum bottleneck bottleneck;
	enum figure decided_by;
	enum winner winner;
	double level;           /* the alpha that Holm's correction gave this cell */
	double p;               /* of the ratio that decides */
	unsigned judged_blocks; /* p and the intervals are of so many blocks; and of this level */
	double judged_level;
	unsigned rounds, stolen, throttled, disturbed;
};

/* How many blocks a claim at this level needs at least. */
unsigned cell_blocks_needed(double alpha);

/* Fewer blocks say nothing: the cell counts as not measured. */
bool cell_measured(const struct cell *c, double alpha);

/* Why the system calls of one of its sides were not counted, as -errno; 0: those of both were. */
int cell_uncounted(const struct cell *c);

/* Whether a block can be judged. Returns 0, or -ENODATA with @why: what decides is not known of all
 * its servers. */
int cell_block_check(const struct cell *c, const struct block *b, char why[WHY_MAX]);

/* Medians, bottleneck, and which quantity decides, unless --compare says it: the rate, unless the
 * client limits it, or the schedule of an open loop, or others who had the CPU in most rounds. */
void cell_summarise(struct cell *c);

/* The intervals of all comparisons at level 1 - @alpha. */
void cell_compare(struct cell *c, double alpha, unsigned resamples, uint64_t seed);

/* Whether the interval of the ratio that decides is within +- @percent at this level. */
bool cell_precise(struct cell *c, double alpha, double percent);

/* The comparison that decides. */
const struct comparison *cell_decider(const struct cell *c);

/* Judges all cells of a run together (Holm): intervals, levels, winners. */
void cells_judge(struct cell *cells, unsigned count, double alpha, uint64_t seed);

/* What to put into the configuration: the name of a side that won and never lost, or
 * "either". @why says why: that it depends, that it does not matter, or that it cannot be said. */
const char *cells_recommend(const struct cell *cells, unsigned count, double alpha,
			    char why[WHY_MAX]);

/* "64 connections, 64 B, 1 in flight, closed" */
char *cell_workload_text(const struct workload *w, char *text, size_t size);

#endif
