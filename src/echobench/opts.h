/* SPDX-License-Identifier: MIT
 * opts: the configuration of echobench.
 */
#ifndef ECHOBENCH_OPTS_H
#define ECHOBENCH_OPTS_H

#include <sched.h>
#include <stdint.h>

#include "echo/base/program.h"
#include "echobench/run/known.h"

struct opt_set;

enum {
	LIST_MAX = 16,   /* values of one dimension of the matrix */
	SERVERS_MAX = 8, /* --server */
};

/* "1,64,1000" */
struct number_list {
	uint64_t at[LIST_MAX];
	unsigned count;
};

enum load_mode { MODE_CLOSED, MODE_OPEN, MODE_CHURN, MODE_STREAM, MODE_COUNT };
extern const char *const bench_mode_names[];

struct mode_list {
	enum load_mode at[MODE_COUNT];
	unsigned count;
};

struct command_list {
	char at[SERVERS_MAX][OPT_TEXT_MAX];
	unsigned count;
};

/* CPUs to run on: text as given to --cpus of our programs. */
struct cpus {
	char text[OPT_TEXT_MAX];
	cpu_set_t set;
	bool automatic; /* chosen when the machine is known */
};

enum output_format { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_QUIET };

struct bench_config {
	struct program_options program;
	char a[OPT_TEXT_MAX], b[OPT_TEXT_MAX]; /* backends or commands */
	struct command_list server;            /* more B sides */
	char servers_dir[OPT_TEXT_MAX];
	struct known known; /* server files that sides name: known_read() */
	char client_a[OPT_TEXT_MAX], client_b[OPT_TEXT_MAX]; /* commands; "": echoload */
	char compare[OPT_TEXT_MAX]; /* "auto", a figure's option (cell.h), ".key.of.json" */
	struct number_list connections, size, pipeline;
	struct mode_list mode;
	uint64_t rate;  /* open: messages each second */
	unsigned churn; /* messages of a connection */
	struct cpus server_cpus, client_cpus;
	unsigned threads; /* of the client */
	char client_backend[OPT_TEXT_MAX], congestion[OPT_TEXT_MAX];
	int64_t round, warmup, limit;
	double precision, confidence; /* percent */
	unsigned rounds, min_blocks, max_blocks;
	uint64_t seed;
	char json[OPT_TEXT_MAX], plot[OPT_TEXT_MAX], baseline[OPT_TEXT_MAX];
	bool recommend;
	unsigned output, progress;
};

extern const struct opt bench_opts[];
extern const char bench_after[]; /* the end of --help */

/* Checks across rows, and the CPUs that were left to us. Returns 0, or -EINVAL with s->error. */
int bench_check(struct opt_set *s, struct bench_config *c);

/* All hypotheses together: 0.01 at 99 %. */
static inline double bench_alpha(const struct bench_config *c)
{
	return 1 - c->confidence / 100;
}

#endif
