/* SPDX-License-Identifier: MIT
 * report_json: echodrill/1, one drill a line.
 */
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "echo/lab/tojson.h"
#include "echodrill/explain.h"
#include "echodrill/script/program.h"
#include "echodrill/stage/notice.h"
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

/* What the client noticed, in order of time, since what it is measured from. */
static json_t *noticed_json(const struct record *rec)
{
	json_t *list = json_array();
	int64_t base = notice_base(rec);

	for (unsigned i = 0; i < NOTICE_KINDS; i++) {
		const struct notice *n = &rec->notice[i];
		size_t at = 0;

		if (!n->seen)
			continue;
		while (at < json_array_size(list) &&
		       json_integer_value(json_object_get(json_array_get(list, at), "after_ns")) <=
			       n->t_ns - base)
			at++;
		json_array_insert_new(list, at,
				      json_pack("{s:s,s:I,s:o}", "how", notice_name(i), "after_ns",
						(json_int_t)(n->t_ns - base), "what",
						tojson_text(n->text)));
	}
	return list;
}

/* "exit code 7", "killed by SIGPIPE", "running", while the drill lasted. */
static json_t *client_end_json(const struct record *rec)
{
	const struct ending *e = &rec->ending[WHO_CLIENT];
	const bool ended = e->ended && e->t_ns <= rec->end_ns; /* not in the clean-up */
	const struct proc p = { .pid = e->started, .ended = ended, .status = e->status };
	char text[64];

	return tojson_text(proc_status(&p, text));
}

static json_t *program_json(const struct program *p)
{
	return p ? tojson_text(p->name) : json_null();
}

/* Adds what is about other people's programs. */
static void programs_json(const struct result *r, json_t *o)
{
	const struct run_options *options = r->run->options;
	const struct record *rec = r->run->record;
	struct explain_tcp tcp;
	int64_t ns;

	explain_defaults(&tcp);
	ns = explain_fault(&tcp, r->drill->explain);
	json_object_set_new(o, "client_program", program_json(options->client));
	json_object_set_new(o, "server_program", program_json(options->server));
	json_object_set_new(o, "not_applicable", json_boolean(r->not_applicable));
	json_object_set_new(o, "client_end", client_end_json(rec));
	json_object_set_new(o, "connections", json_integer(rec->connections));
	json_object_set_new(o, "noticed", noticed_json(rec));
	json_object_set_new(o, "tcp_tells_ns",
			    ns == 0 || ns == -1 ? json_null() : json_integer(ns == 1 ? 0 : ns));
	json_object_set_new(o, "tcp_tells",
			    json_string(ns == 0    ? "unknown"
					: ns == -1 ? "never"
					: ns == 1  ? "at_once"
						   : "later"));
}

int report_run_json(const struct result *r, FILE *to)
{
	const struct judgement *j = r->judgement;
	const struct record *rec = r->run->record;
	json_t *knew = j->knew_ns >= 0 && rec->complete ? json_integer(j->knew_ns) : json_null();
	json_t *load = rec->load[0] ? json_loads(rec->load, 0, NULL) : NULL;
	json_t *o = json_pack(
		"{s:s,s:o,s:s?,s:s,s:o,s:I,s:o,s:s?,s:I,s:I,s:I,s:I,s:s,s:s,s:o,s:o,s:o,s:o}",
		"schema", "echodrill/1", "drill", tojson_text(r->drill->name), "means",
		r->run->options->detector ? r->run->options->detector->name : NULL, "verdict",
		judge_verdict_name(j->verdict), "reason", tojson_text(j->reason), "took_ns",
		(json_int_t)r->took_ns, "knew_ns", knew, "knew",
		j->knew_ns >= 0 && rec->complete ? j->knew : NULL, "canary_late_ns",
		(json_int_t)atomic_load(&rec->canary_ns), "cpu_wait_ns", (json_int_t)rec->wait_ns,
		"wire_late_ns", (json_int_t)atomic_load(&rec->wire.late_ns), "wire_dropped",
		(json_int_t)atomic_load(&rec->wire.dropped), "server_backend",
		r->run->options->server_backend, "client_backend", r->run->options->client_backend,
		"expectations", expectations_json(r), "timeline", timeline_json(rec), "commands",
		commands_json(rec), "load", load ? load : json_null());

	programs_json(r, o);
	json_object_set_new(o, "step", report_step(r) ? json_integer(report_step(r)) : json_null());
	json_object_set_new(o, "again",
			    r->drill->again[0] ? tojson_text(r->drill->again) : json_null());
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
