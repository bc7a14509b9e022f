/* SPDX-License-Identifier: MIT
 * baseline: today's ratios against those of a kept result. Rates of another day or machine say
 * nothing; how B compares with A does. A cell got worse where the two intervals of the quantity
 * that decides do not meet.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "output.h"

static bool same_text(const json_t *o, const char *key, const char *value)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s && strcmp(s, value) == 0;
}

static bool same_number(const json_t *o, const char *key, uint64_t value)
{
	const json_t *n = json_object_get(o, key);

	return json_is_integer(n) && (uint64_t)json_integer_value(n) == value;
}

static bool same_cell(const json_t *o, const struct cell *c)
{
	const json_t *w = json_object_get(o, "workload");

	return same_number(w, "connections", c->load.connections) &&
	       same_number(w, "size", c->load.size) &&
	       same_number(w, "pipeline", c->load.pipeline) &&
	       same_text(w, "mode", bench_mode_names[c->load.mode]) &&
	       same_text(json_object_get(o, "a"), "name", c->name[SIDE_A]) &&
	       same_text(json_object_get(o, "b"), "name", c->name[SIDE_B]);
}

static enum baseline_verdict compare(const json_t *old, const struct cell *c)
{
	bool cpu = c->decided_by == DECIDED_BY_CPU;
	const struct paired *now = &cell_decider(c)->ratio;
	const json_t *then = json_object_get(old, cpu ? "cpu_ratio" : "ratio");
	double low = json_number_value(json_object_get(then, "low")),
	       high = json_number_value(json_object_get(then, "high"));

	if (!(low > 0 && high > 0))
		return BASELINE_NONE;
	if (now->low > log(high))
		return cpu ? BASELINE_WORSE : BASELINE_BETTER;
	if (now->high < log(low))
		return cpu ? BASELINE_BETTER : BASELINE_WORSE;
	return BASELINE_SAME;
}

int baseline_compare(struct bench *r, const char *path, char why[WHY_MAX])
{
	json_error_t error;
	json_t *root = json_load_file(path, 0, &error), *cells, *old;
	size_t k;

	cells = json_object_get(root, "cells");
	if (!same_text(root, "schema", "echobench/1") || !json_is_array(cells)) {
		snprintf(why, WHY_MAX, "%.200s: %.100s", path,
			 root ? "is no result of echobench" : error.text);
		json_decref(root);
		return -EINVAL;
	}
	free(r->baseline);
	r->baseline = calloc(r->count ? r->count : 1, sizeof(*r->baseline));
	r->regressions = 0;
	for (unsigned i = 0; r->baseline && i < r->count; i++) {
		json_array_foreach(cells, k, old)
		{
			if (same_cell(old, &r->cells[i]) && cell_measured(&r->cells[i], r->alpha))
				r->baseline[i] = compare(old, &r->cells[i]);
		}
		r->regressions += r->baseline[i] == BASELINE_WORSE;
	}
	json_decref(root);
	return r->baseline ? 0 : -ENOMEM;
}
