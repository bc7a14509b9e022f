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

#include "echo/lab/tojson.h"
#include "echobench/bench.h"
#include "echobench/report/output.h"
#include "echobench/run/commands.h"

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

/* Whether a kept command line is that of echoload itself with this cell's load. Where the program
 * lies, how many threads it had on which CPUs and later options are the machine's and the
 * version's: those before "-t" tell it from a client of one's own, which has its words in it. */
static bool is_echoload(const char *kept, const struct cell *c)
{
	char now[COMMAND_MAX];
	const char *options, *end, *then = strstr(kept, " --gate {gate} ");

	command_client(c->config, &c->load, "", now);
	options = strstr(now, " --gate {gate} ");
	end = options ? strstr(options, " -t ") : NULL;
	return then && end && strncmp(then, options, (size_t)(end - options) + 1) == 0;
}

/* Clients of one's own are compared word by word; results from before there were any name none. */
static bool same_client(const json_t *o, const struct cell *c, enum side s)
{
	const char *kept = json_string_value(json_object_get(o, "client"));

	if (c->client[s][0])
		return kept && strcmp(kept, c->client[s]) == 0;
	return !kept || is_echoload(kept, c);
}

static bool same_side(const json_t *o, const struct cell *c, enum side s)
{
	return same_text(o, "name", c->name[s]) && same_client(o, c, s);
}

static bool same_cell(const json_t *o, const struct cell *c)
{
	const json_t *w = json_object_get(o, "workload");

	return same_number(w, "connections", c->load.connections) &&
	       same_number(w, "size", c->load.size) &&
	       same_number(w, "pipeline", c->load.pipeline) &&
	       same_text(w, "mode", bench_mode_names[c->load.mode]) &&
	       (c->load.mode != MODE_OPEN || same_number(w, "rate", c->config->rate)) &&
	       (c->load.mode != MODE_CHURN || same_number(w, "churn", c->config->churn)) &&
	       (c->decided_by != FIGURE_KEY || same_text(o, "compare", c->config->compare)) &&
	       same_side(json_object_get(o, "a"), c, SIDE_A) &&
	       same_side(json_object_get(o, "b"), c, SIDE_B);
}

static void compare(struct baseline *b, const json_t *old, const struct cell *c)
{
	const struct figure_info *f = &figures[c->decided_by];
	bool more, less;
	const struct paired *now = &cell_decider(c)->ratio;
	const json_t *then = json_object_get(old, f->ratio);
	double median = json_number_value(json_object_get(then, "median")),
	       low = json_number_value(json_object_get(then, "low")),
	       high = json_number_value(json_object_get(then, "high"));

	if (!(median > 0 && low > 0 && high >= low))
		return;
	b->then = (struct paired){ .middle = log(median), .low = log(low), .high = log(high) };
	more = now->low > b->then.high;
	less = now->high < b->then.low;
	b->verdict = !more && !less              ? BASELINE_SAME
		     : more == f->more_is_better ? BASELINE_BETTER
						 : BASELINE_WORSE;
}

int baseline_load(struct bench *r, const char *path, char why[WHY_MAX])
{
	json_error_t error;
	FILE *f = fopen(path, "re");
	json_t *root = NULL;
	int e = 0;

	errno = f ? 0 : errno;
	if (f)
		root = json_loadf(f, 0, &error);
	if (!f || ferror(f))
		snprintf(error.text, sizeof(error.text), "%s", strerror(errno));
	if (f)
		fclose(f);

	r->baseline = calloc(r->count, sizeof(*r->baseline));
	if (!r->baseline || tojson_no_memory()) {
		snprintf(why, WHY_MAX, "%.200s: %s", path, strerror(ENOMEM));
		e = -ENOMEM;
	} else if (!same_text(root, "schema", "echobench/1") ||
		   !json_is_array(json_object_get(root, "cells"))) {
		snprintf(why, WHY_MAX, "%.200s: %.100s", path,
			 root ? "is no result of echobench" : error.text);
		e = -EINVAL;
	}
	if (e == 0) {
		r->kept = root;
		return 0;
	}
	json_decref(root);
	free(r->baseline);
	r->baseline = NULL;
	return e;
}

void baseline_compare(struct bench *r)
{
	const json_t *cells = json_object_get(r->kept, "cells"), *old;
	size_t k;

	r->regressions = r->compared = 0;
	for (unsigned i = 0; r->baseline && i < r->count; i++) {
		struct baseline *b = &r->baseline[i];

		*b = (struct baseline){ .verdict = BASELINE_NONE };
		json_array_foreach(cells, k, old)
		{
			if (same_cell(old, &r->cells[i]) && cell_measured(&r->cells[i], r->alpha))
				compare(b, old, &r->cells[i]);
		}
		r->regressions += b->verdict == BASELINE_WORSE;
		r->compared += b->verdict != BASELINE_NONE;
	}
}

char *baseline_sentence(const struct bench *r, unsigned i, char text[WHY_MAX])
{
	static const char *const names[] = { "", "no difference", "better", "worse" };
	const struct baseline *b = &r->baseline[i];
	const struct paired *now = &cell_decider(&r->cells[i])->ratio;

	if (b->verdict == BASELINE_NONE)
		snprintf(text, WHY_MAX, "nothing to compare");
	else
		snprintf(text, WHY_MAX, "%s B/A was %.3f (%.3f-%.3f), is %.3f: %s",
			 figures[r->cells[i].decided_by].text, exp(b->then.middle),
			 exp(b->then.low), exp(b->then.high), exp(now->middle), names[b->verdict]);
	return text;
}
