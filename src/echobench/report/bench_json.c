/* SPDX-License-Identifier: MIT
 * bench_json_print: a result as echobench/1 (docs/results.md; docs/echobench-1.schema.json). The
 * keys are a contract: add, never rename. Ratios are B / A. What was not measured is null.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echo/lab/outfile.h"
#include "echo/lab/tojson.h"
#include "echobench/bench.h"
#include "echobench/run/commands.h"
#include "output.h"

static json_t *ratio(const struct paired *p)
{
	return json_pack("{s:o, s:o, s:o}", "median", tojson_real(exp(p->middle)), "low",
			 tojson_real(exp(p->low)), "high", tojson_real(exp(p->high)));
}

static json_t *interval(const struct paired *p)
{
	json_t *o = isnan(p->middle) ? NULL : ratio(p);

	if (!o)
		return json_null();
	json_object_set_new(o, "p", tojson_real(p->p));
	return o;
}

static json_t *noise(const struct paired *p)
{
	return json_pack("{s:o, s:o}", "low", tojson_real(exp(p->low)), "high",
			 tojson_real(exp(p->high)));
}

static json_t *side(const struct cell *c, enum side s, bool measured)
{
	const struct sample *m = &c->middle[s];
	char command[COMMAND_MAX], client[COMMAND_MAX];
	double none = measured ? 0 : (double)NAN;

	command_client(c->config, &c->load, c->client[s], client);
	snprintf(command, sizeof(command), "%s", client);
	if (c->server[s])
		command_server(c->config, c->server[s], c->load.connections, command);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:o}",
			 "name", tojson_text(c->name[s]), "command", tojson_text(command), "client",
			 tojson_text(client), "client_cpu_ns_per_message",
			 tojson_real(m->client_cpu_ns + none), "key",
			 cell_figure(c->config->compare) == FIGURE_KEY ? tojson_real(m->key + none)
								       : json_null(),
			 "rate", tojson_real(m->rate + none), "server_cpu_ns_per_message",
			 tojson_real(m->cpu_ns + none), "context_switches_per_message",
			 tojson_real(m->switches + none), "system_calls_per_message",
			 c->syscalls[s] < 0 ? json_null() : tojson_real(c->syscalls[s]),
			 "latency_ns", "p50", tojson_real(m->p50_ns + none), "p99",
			 tojson_real(m->p99_ns + none), "server_busy",
			 tojson_real(m->server_busy + none), "client_busy",
			 tojson_real(m->client_busy + none));
}

static json_t *sample(const struct sample *s, unsigned block, const char *side)
{
	return json_pack(
		"{s:i, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:b, s:i, s:i, s:i, s:i}", "block",
		(int)block, "side", side, "rate", tojson_real(s->rate), "server_cpu_ns_per_message",
		tojson_real(s->cpu_ns), "client_cpu_ns_per_message", tojson_real(s->client_cpu_ns),
		"p99_ns", tojson_real(s->p99_ns), "key", tojson_real(s->key), "stolen",
		s->stolen > 0, "throttled", s->throttled > 0, "disturbed", s->disturbed > 0,
		"rounds", (int)s->rounds, "rounds_stolen", (int)s->stolen, "rounds_throttled",
		(int)s->throttled, "rounds_disturbed", (int)s->disturbed);
}

/* Every server of every block, so that the statistics can be repeated. */
static json_t *samples(const struct cell *c)
{
	static const char *const names[] = { "a1", "a2", "b1", "b2" };
	json_t *all = json_array();

	for (unsigned i = 0; i < c->block_count; i++) {
		for (unsigned k = 0; k < BLOCK_SERVERS; k++)
			json_array_append_new(
				all, sample(&c->blocks[i].at[k / REPLICATES][k % REPLICATES], i,
					    names[k]));
	}
	return all;
}

static json_t *workload(const struct cell *c)
{
	const struct workload *w = &c->load;
	json_t *o = json_pack("{s:I, s:I, s:I, s:s}", "connections", (json_int_t)w->connections,
			      "size", (json_int_t)w->size, "pipeline", (json_int_t)w->pipeline,
			      "mode", bench_mode_names[w->mode]);

	if (w->mode == MODE_OPEN)
		json_object_set_new(o, "rate", json_integer((json_int_t)c->config->rate));
	if (w->mode == MODE_CHURN)
		json_object_set_new(o, "churn", json_integer(c->config->churn));
	return o;
}

/* What only a measured cell has. */
static void put_verdict(json_t *o, const struct cell *c)
{
	static const char *const winners[] = { "none", "a", "b" };
	static const char *const bottlenecks[] = { "unknown", "client", "server" };

	for (enum figure f = 0; f < FIGURES; f++)
		json_object_set_new(o, figures[f].ratio, interval(&c->of[f].ratio));
	json_object_set_new(o, "noise_ratio", noise(&cell_decider(c)->noise));
	json_object_set_new(o, "winner", json_string(winners[c->winner]));
	json_object_set_new(o, "decided_by", json_string(figures[c->decided_by].name));
	json_object_set_new(o, "bottleneck", json_string(bottlenecks[c->bottleneck]));
}

static json_t *cell(const struct bench *r, unsigned i)
{
	static const char *const baselines[] = { NULL, "same", "better", "worse" };
	const struct cell *c = &r->cells[i];
	bool measured = cell_measured(c, r->alpha);
	char client[COMMAND_MAX];
	json_t *o = json_pack(
		"{s:o, s:b, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:i, s:b, s:b, s:f, s:I}",
		"workload", workload(c), "measured", measured, "reason",
		c->why[0] ? tojson_text(c->why) : json_null(), "a", side(c, SIDE_A, measured), "b",
		side(c, SIDE_B, measured), "rounds", (int)c->rounds, "blocks", (int)c->block_count,
		"failed_blocks", (int)c->failed_blocks, "rounds_stolen", (int)c->stolen,
		"rounds_throttled", (int)c->throttled, "rounds_disturbed", (int)c->disturbed,
		"stationary", c->stationary, "narrow", c->precise, "confidence", 1 - c->level,
		"duration_ns", (json_int_t)c->spent_ns);

	json_object_set_new(o, "system_calls_reason",
			    measured && cell_uncounted(c) < 0
				    ? tojson_text(strerror(-cell_uncounted(c)))
				    : json_null());
	command_client(c->config, &c->load, c->client[SIDE_A], client);
	json_object_set_new(o, "client", tojson_text(client));
	json_object_set_new(o, "compare", tojson_text(c->config->compare));
	if (measured)
		put_verdict(o, c);
	else
		json_object_set_new(o, "winner", json_string("none"));
	if (r->baseline)
		json_object_set_new(o, "baseline",
				    baselines[r->baseline[i].verdict]
					    ? json_string(baselines[r->baseline[i].verdict])
					    : json_null());
	if (r->baseline && r->baseline[i].verdict != BASELINE_NONE)
		json_object_set_new(o, "baseline_ratio", ratio(&r->baseline[i].then));
	json_object_set_new(o, "samples", samples(c));
	return o;
}

static void put_fact(void *arg, const char *name, const char *value)
{
	json_t *context = arg, *sysctls = json_object_get(context, "sysctls");

	json_object_set_new(strchr(name, '.') ? sysctls : context, name,
			    strncmp(name, "cpus_", 5) == 0 ? json_integer(strtoll(value, NULL, 10))
							   : tojson_text(value));
}

static void put_option(void *arg, const char *section, const char *key, const char *value)
{
	json_t *values = arg, *old = json_object_get(values, key);

	(void)section;
	if (!old) {
		json_object_set_new(values, key, tojson_text(value));
	} else if (json_is_array(old)) { /* a key that repeats */
		json_array_append_new(old, tojson_text(value));
	} else {
		json_object_set_new(values, key, json_pack("[O, o]", old, tojson_text(value)));
	}
}

static json_t *context(const struct bench *r)
{
	json_t *argv = json_array(), *configs = json_array();
	json_t *o =
		json_pack("{s:I, s:o, s:o, s:{}}", "start_unix_ns", (json_int_t)r->start_unix_ns,
			  "argv", argv, "configs", configs, "sysctls");

	for (int i = 0; i < r->argc; i++)
		json_array_append_new(argv, tojson_text(r->argv[i]));
	for (unsigned i = 0; i < r->plan_count; i++) {
		json_t *values = json_object();

		opt_each(&r->plans[i].opts, put_option, values);
		json_array_append_new(
			configs,
			json_pack("{s:o, s:o}", "file",
				  r->plans[i].file ? tojson_text(r->plans[i].file) : json_null(),
				  "values", values));
	}
	provenance_each(&r->provenance, put_fact, o);
	return o;
}

static json_t *result(const struct bench *r)
{
	json_t *cells = json_array();

	for (unsigned i = 0; i < r->count; i++)
		json_array_append_new(cells, cell(r, i));
	return json_pack("{s:s, s:{s:i, s:o}, s:b, s:o, s:I, s:o, s:o, s:s, s:s}", "schema",
			 "echobench/1", "exit", "code", r->exit_code, "reason",
			 tojson_text(r->exit_reason), "interrupted",
			 r->interrupted_by != 0 || !r->finished, "context", context(r),
			 "duration_ns", (json_int_t)(r->end_ns - r->start_ns), "floor_ns",
			 r->floor_ns < 0 ? json_null() : tojson_real(r->floor_ns), "cells", cells,
			 "recommend", r->recommend, "recommend_reason", r->recommend_why);
}

int bench_json_print(const struct bench *r, FILE *to)
{
	return tojson_write(result(r), JSON_INDENT(2) | JSON_REAL_PRECISION(9), to);
}

int bench_json_keep(const struct bench *r)
{
	const char *name = r->plans[0].config.json;
	struct stat st;
	struct outfile file;
	int e;

	if (!name[0] || (!r->finished && lstat(name, &st) == 0 && !S_ISREG(st.st_mode)))
		return 0;
	e = outfile_open(&file, name, false);
	return e < 0 ? e : outfile_close(&file, bench_json_print(r, file.f));
}
