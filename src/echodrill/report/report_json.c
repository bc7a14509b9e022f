/* SPDX-License-Identifier: MIT
 * report_json: echodrill/1, one drill a line.
 */
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "echo/lab/tojson.h"
#include "echodrill/stage/run.h"
#include "echodrill/verdict/judge.h"
#include "report.h"

static const char *const rulings[] = { [RULING_OK] = "ok",
				       [RULING_NO] = "no",
				       [RULING_LATE] = "late",
				       [RULING_DOUBT] = "doubtful",
				       [RULING_SKIPPED] = "skipped" };

static json_t *missed_json(const struct result *r, const struct finding *f)
{
	char text[REPORT_MISSED_MAX];

	if (f->ruling != RULING_NO || !report_missed(r, f, text)[0])
		return json_null();
	return tojson_text(text);
}

static json_t *expectations_json(const struct result *r)
{
	const struct judgement *j = r->judgement;
	json_t *list = json_array();

	for (unsigned i = 0; i < j->count; i++) {
		const struct finding *f = &j->at[i];

		json_array_append_new(
			list, json_pack("{s:o,s:o,s:o,s:b,s:s,s:o}", "what", tojson_text(f->what),
					"expected", tojson_text(f->expected), "observed",
					tojson_text(f->observed), "ok", f->ruling == RULING_OK,
					"ruling", rulings[f->ruling], "missed", missed_json(r, f)));
	}
	return list;
}

static json_t *timeline_json(const struct record *rec)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < rec->timeline.count; i++) {
		const struct event *e = &rec->timeline.at[i];

		json_array_append_new(list, json_pack("{s:I,s:s,s:o}", "t_ns",
						      (json_int_t)(e->t_ns - rec->start_ns), "who",
						      timeline_who(e->who), "what",
						      tojson_text(e->text)));
	}
	return list;
}

static json_t *commands_json(const struct record *rec)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < rec->commands; i++)
		json_array_append_new(list, tojson_text(rec->command[i]));
	return list;
}

int report_run_json(const struct result *r, FILE *to)
{
	const struct judgement *j = r->judgement;
	const struct record *rec = r->run->record;
	json_t *knew = j->knew_ns >= 0 && rec->complete ? json_integer(j->knew_ns) : json_null();
	json_t *load = rec->load[0] ? json_loads(rec->load, 0, NULL) : NULL;
	json_t *o = json_pack(
		"{s:s,s:o,s:s?,s:s,s:o,s:I,s:o,s:s?,s:I,s:I,s:I,s:s,s:s,s:o,s:o,s:o,s:o}", "schema",
		"echodrill/1", "drill", tojson_text(r->drill->name), "means",
		r->run->options->detector ? r->run->options->detector->name : NULL, "verdict",
		judge_verdict_name(j->verdict), "reason", tojson_text(j->reason), "took_ns",
		(json_int_t)r->took_ns, "knew_ns", knew, "knew",
		j->knew_ns >= 0 && rec->complete ? j->knew : NULL, "canary_late_ns",
		(json_int_t)atomic_load(&rec->canary_ns), "cpu_wait_ns", (json_int_t)rec->wait_ns,
		"wire_dropped", (json_int_t)atomic_load(&rec->wire.dropped), "server_backend",
		r->run->options->server_backend, "client_backend", r->run->options->client_backend,
		"expectations", expectations_json(r), "timeline", timeline_json(rec), "commands",
		commands_json(rec), "load", load ? load : json_null());

	return tojson_write(o, JSON_COMPACT, to);
}

static void json_result(const struct result *r, bool whole, unsigned nth)
{
	(void)whole;
	(void)nth;
	report_run_json(r, stdout); /* standard output is checked at the end of the program */
}

const struct reporter reporter_json = {
	.name = "json",
	.help = "an object of echodrill/1 a line",
	.result = json_result,
};
