/* SPDX-License-Identifier: MIT
 * report_jsonl: one JSON object a line, for programs that follow the run: start, interval, fault,
 * end.
 */
#include "report.h"

#include <errno.h>

#include "echoload/options/opts.h"
#include "echoload/result/result.h"
#include "report_private.h"

static const size_t flags = JSON_COMPACT;

/* {"event": @name, "t_ns": @t_ns}, to which more is added. */
static json_t *jsonl_event(const char *name, int64_t t_ns)
{
	json_t *o = json_object();

	if (report_json_put(o, "event", json_string(name)) &&
	    report_json_put(o, "t_ns", json_integer(t_ns)))
		return o;
	json_decref(o);
	return NULL;
}

/* Writes @event with the members of @more; frees both. */
static int jsonl_write(json_t *event, json_t *more, FILE *to)
{
	bool ok = event && json_object_update(event, more) == 0;

	json_decref(more);
	if (ok)
		return tojson_write(event, flags | REPORT_JSON_REAL, to);
	json_decref(event);
	return -ENOMEM;
}

static int jsonl_start(const struct result *r, FILE *to)
{
	json_t *more = json_object();
	bool ok = report_json_put(more, "schema", json_string("echoload/1"));

	if (r->phase)
		ok &= report_json_put(more, "phase", tojson_text(r->phase));
	ok &= report_json_part(more, r);
	ok &= report_json_configs(more, r);
	ok &= report_json_put(more, "context", report_json_context(r));
	if (ok)
		return jsonl_write(jsonl_event("start", 0), more, to);
	json_decref(more);
	return -ENOMEM;
}

static int jsonl_interval(const struct interval *i, const struct hist *h, FILE *to)
{
	(void)h; /* its percentiles are in the interval */
	return jsonl_write(jsonl_event("interval", i->end_ns), report_json_interval(i), to);
}

static int jsonl_outage(unsigned number, const struct outage *o, bool recovered, FILE *to)
{
	json_t *event = jsonl_event("fault", recovered ? o->recovered_ns : o->noticed_ns);

	if (report_json_put(event, "fault",
			    json_string(recovered ? "outage_recovered" : "outage_opened")) &&
	    report_json_put(event, "outage", json_integer(number)))
		return jsonl_write(event, report_json_outage(o), to);
	json_decref(event);
	return -ENOMEM;
}

static int jsonl_end(const struct result *r, FILE *to)
{
	json_t *event = jsonl_event("end", r->duration_ns);

	if (report_json_put(event, "result", report_json_result(r)))
		return tojson_write(event, flags | REPORT_JSON_REAL, to);
	json_decref(event);
	return -ENOMEM;
}

const struct report_format report_jsonl = {
	.option = "jsonl",
	.name = offsetof(struct load_config, jsonl),
	.followed = true,
	.start = jsonl_start,
	.interval = jsonl_interval,
	.outage = jsonl_outage,
	.end = jsonl_end,
};
