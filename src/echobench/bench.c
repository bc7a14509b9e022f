/* SPDX-License-Identifier: MIT
 * bench: goes through the cells, one after the other.
 */
#include "bench.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/log.h"
#include "echo/base/rng.h"
#include "echo/lab/child.h"
#include "echobench/report/output.h"
#include "echobench/run/commands.h"
#include "echobench/run/floor.h"
#include "echobench/run/schedule.h"
#include "progress.h"

/* Adds one cell, with room for its blocks. */
static int bench_add(struct bench *r, const struct bench_config *c, const char *b,
		     const struct workload *w)
{
	struct cell *cell = &r->cells[r->count];

	if (r->count == CELLS_MAX)
		return -E2BIG;
	command_sides(cell, c, b);
	cell->load = *w;
	cell->syscalls[SIDE_A] = cell->syscalls[SIDE_B] = -ENODATA;
	cell->level = 1;
	snprintf(cell->why, sizeof(cell->why), "its turn did not come");
	cell->blocks = calloc(BLOCKS_MAX, sizeof(*cell->blocks));
	if (!cell->blocks)
		return -ENOMEM;
	r->count++;
	return 0;
}

/* The matrix of one pair of sides. */
static int bench_add_matrix(struct bench *r, const struct bench_config *c, const char *b)
{
	const struct number_list *n = &c->connections, *s = &c->size, *p = &c->pipeline;
	unsigned total = c->mode.count * n->count * s->count * p->count;
	int e = 0;

	for (unsigned i = 0; i < total && e == 0; i++) {
		struct workload w = {
			.pipeline = p->at[i % p->count],
			.size = s->at[i / p->count % s->count],
			.connections = n->at[i / p->count / s->count % n->count],
			.mode = c->mode.at[i / p->count / s->count / n->count],
		};

		e = bench_add(r, c, b, &w);
	}
	return e;
}

int bench_plan(struct bench *r)
{
	int e = 0;

	r->floor_ns = -1;
	r->recommend = "either";
	r->cells = calloc(CELLS_MAX, sizeof(*r->cells));
	if (!r->cells)
		return -ENOMEM;
	for (unsigned i = 0; i < r->plan_count && e == 0; i++) {
		const struct bench_config *c = &r->plans[i].config;

		/* --server alone takes the place of b */
		if (c->server.count == 0 ||
		    opt_origin_of(&r->plans[i].opts, "b")->level != OPT_DEFAULT)
			e = bench_add_matrix(r, c, c->b);
		for (unsigned s = 0; s < c->server.count && e == 0; s++)
			e = bench_add_matrix(r, c, c->server.at[s]);
	}
	r->alpha = bench_alpha(&r->plans[0].config);
	return e;
}

void bench_free(struct bench *r)
{
	for (unsigned i = 0; i < r->count; i++)
		free(r->cells[i].blocks);
	free(r->cells);
	free(r->baseline);
	json_decref(r->kept);
}

double bench_cell_alpha(const struct bench *r)
{
	return r->alpha / (r->count ? r->count : 1);
}

/* How long the cells that are not done will take. */
static struct progress_left bench_left(const struct bench *r)
{
	struct progress_left left = { 0, 0 };

	for (unsigned i = r->done; i < r->count; i++) {
		const struct cell *c = &r->cells[i];
		int64_t block_ns = schedule_block_ns(c->config, &c->load), most, least, warm_ns;

		warm_ns = schedule_warm_ns(c->config, &c->load);
		least = block_ns * schedule_min_blocks(c->config, bench_cell_alpha(r));
		most = block_ns * c->config->max_blocks;
		if (least + warm_ns > c->config->limit)
			least = c->config->limit - warm_ns;
		if (most + warm_ns > c->config->limit)
			most = c->config->limit - warm_ns;
		left.least_ns += (least > 0 ? least : 0) + warm_ns;
		left.most_ns += (most > 0 ? most : 0) + warm_ns;
	}
	return left;
}

static void bench_block_done(void *arg, const struct cell *c)
{
	progress_block(arg, c);
}

static void bench_judge(struct bench *r)
{
	cells_judge(r->cells, r->count, r->alpha, r->plans[0].config.seed);
	r->recommend = cells_recommend(r->cells, r->count, r->alpha, r->recommend_why);
	baseline_compare(r);
}

static int bench_cell(struct bench *r, struct cell *c, struct progress *p)
{
	struct schedule s = { .alpha = bench_cell_alpha(r),
			      .min_blocks = schedule_min_blocks(c->config, bench_cell_alpha(r)),
			      .rng = rng_mix(c->config->seed + (uint64_t)(c - r->cells)),
			      .progress = bench_block_done,
			      .arg = p };

	c->why[0] = '\0';
	return schedule_run(c, &s);
}

/* What is known so far: whatever happens next, there is a result. */
static int bench_keep(struct bench *r)
{
	r->end_ns = clock_now_ns();
	bench_judge(r);
	bench_verdict(r);
	return bench_json_keep(r);
}

int bench_measure(struct bench *r)
{
	struct progress p = { .run = r };
	int e;

	r->start_unix_ns = clock_unix_ns();
	r->start_ns = clock_now_ns();
	provenance_read(&r->provenance, "");
	e = bench_keep(r);
	if (e < 0)
		return e;
	progress_begin(&p, bench_left(r));
	r->floor_ns = floor_measure(&r->plans[0].config);
	while (r->done < r->count && !child_stop_signal()) {
		struct cell *c = &r->cells[r->done];

		bench_cell(r, c, &p);
		r->done++;
		r->interrupted_by = child_stop_signal();
		if (bench_keep(r) < 0)
			log_warn("the result cannot be kept for now");
		progress_cell(&p, c, bench_left(r));
	}
	r->interrupted_by = child_stop_signal();
	r->finished = true;
	progress_end(&p);
	return 0;
}

/* Cells without an answer: not measured, or neither a winner nor as narrow as asked. */
static void bench_count(const struct bench *r, unsigned *unmeasured, unsigned *wide)
{
	*unmeasured = *wide = 0;
	for (unsigned i = 0; i < r->count; i++) {
		const struct cell *c = &r->cells[i];

		if (!cell_measured(c, r->alpha))
			++*unmeasured;
		else if (!c->precise && c->winner == WINNER_NONE)
			++*wide;
	}
}

/* Which cell got worse, and how much: the first of them. */
static void bench_blame(struct bench *r)
{
	char load[80], said[WHY_MAX];
	unsigned i = 0;

	while (r->baseline[i].verdict != BASELINE_WORSE)
		i++;
	snprintf(r->exit_reason, WHY_MAX, "%u of %u cells worse than the baseline: %s: %.150s",
		 r->regressions, r->count,
		 cell_workload_text(&r->cells[i].load, load, sizeof(load)),
		 baseline_sentence(r, i, said));
}

void bench_verdict(struct bench *r)
{
	unsigned unmeasured, wide;

	bench_count(r, &unmeasured, &wide);
	if (r->interrupted_by) {
		r->exit_code = 128 + r->interrupted_by;
		snprintf(r->exit_reason, WHY_MAX, "interrupted after %u of %u cells",
			 r->count - unmeasured, r->count);
	} else if (r->regressions > 0) {
		r->exit_code = EXIT_VERDICT;
		bench_blame(r);
	} else if (r->kept && r->compared == 0) {
		r->exit_code = EXIT_INCONCLUSIVE;
		snprintf(r->exit_reason, WHY_MAX, "no cell could be compared with the baseline");
	} else if (unmeasured > 0) {
		r->exit_code = EXIT_INCONCLUSIVE;
		snprintf(r->exit_reason, WHY_MAX, "%u of %u cells could not be measured",
			 unmeasured, r->count);
	} else if (wide > 0) {
		r->exit_code = EXIT_INCONCLUSIVE;
		snprintf(r->exit_reason, WHY_MAX,
			 "too noisy to say in %u of %u cells: intervals are wider than asked", wide,
			 r->count);
	} else {
		r->exit_code = EXIT_OK;
		snprintf(r->exit_reason, WHY_MAX, "ok");
	}
}
