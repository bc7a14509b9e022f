/* SPDX-License-Identifier: MIT
 * bench: all cells of one run, from the matrix of each configuration to the verdict.
 */
#ifndef ECHOBENCH_BENCH_H
#define ECHOBENCH_BENCH_H

#include "echo/lab/provenance.h"
#include "echobench/verdict/cell.h"

enum { CONFIGS_MAX = 32, CELLS_MAX = PAIRED_CELLS_MAX };

/* A configuration with everything that was read for it. */
struct plan {
	struct bench_config config;
	struct opt_set opts;
	const char *file; /* NULL: the command line alone */
};

/* What --baseline found about one cell. */
enum baseline_verdict { BASELINE_NONE, BASELINE_SAME, BASELINE_BETTER, BASELINE_WORSE };

struct baseline {
	enum baseline_verdict verdict;
	struct paired then; /* the kept ratio of what decides now */
};

struct bench {
	struct plan *plans; /* the first one's output options count */
	unsigned plan_count;
	int argc;
	char **argv;
	struct cell *cells;
	unsigned count, done;
	double alpha, floor_ns; /* floor: < 0, not measured */
	int64_t start_unix_ns, start_ns, end_ns;
	struct provenance provenance;
	int interrupted_by; /* signal */
	bool finished;
	struct json_t *kept;       /* the result to compare with; NULL: not asked */
	struct baseline *baseline; /* of each cell */
	unsigned regressions, compared;
	const char *recommend;
	char recommend_why[WHY_MAX];
	int exit_code;
	char exit_reason[WHY_MAX];
};

/* Makes the cells of all plans. Returns 0, -E2BIG or -ENOMEM. */
int bench_plan(struct bench *r);
void bench_free(struct bench *r);

/* Measures all cells; each that is done is judged, shown and kept at once. Returns 0, or -errno
 * when the result cannot be kept: nothing was measured then. */
int bench_measure(struct bench *r);

/* Exit code and its sentence. */
void bench_verdict(struct bench *r);

/* The level of one cell while all are corrected for. */
double bench_cell_alpha(const struct bench *r);

#endif
