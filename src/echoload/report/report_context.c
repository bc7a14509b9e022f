/* SPDX-License-Identifier: MIT
 * report_context: where a result comes from: the effective configuration with the origin of each
 * value, the command line, the machine.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echo/lab/provenance.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"
#include "report_private.h"

static const char *origin_text(const struct opt_set *s, const struct opt_origin *from,
			       char text[OPT_TEXT_MAX])
{
	switch (from->level) {
	case OPT_DEFAULT:
		return "default";
	case OPT_FILE:
		snprintf(text, OPT_TEXT_MAX, "%.200s:%u", s->file, from->line);
		return text;
	case OPT_ENV:
		return "environment";
	case OPT_CLI:
		return "command line";
	}
	return "";
}

/* The two objects that the rows fill. */
struct config_out {
	const struct opt_set *opts;
	json_t *values, *origins;
	bool failed;
};

/* Keys of the first section are plain, those of others carry its name: "io_uring.buffers". */
static void put_config(void *arg, const char *section, const char *key, const char *value)
{
	struct config_out *out = arg;
	const bool plain = strcmp(section, out->opts->sections[0].name) == 0;
	char name[OPT_TEXT_MAX], text[OPT_TEXT_MAX];
	const struct opt_origin *from;

	snprintf(name, sizeof(name), "%s%s%s", plain ? "" : section, plain ? "" : ".", key);
	from = opt_origin_of(out->opts, name);
	assert(from);
	out->failed |= !report_json_put(out->values, name, tojson_text(value));
	out->failed |= !report_json_put(out->origins, name,
					tojson_text(origin_text(out->opts, from, text)));
}

bool report_json_configs(json_t *root, const struct result *r)
{
	struct config_out out = { .opts = r->opts,
				  .values = json_object(),
				  .origins = json_object() };

	if (r->merged_config) {
		json_decref(out.values);
		out.values = json_incref(r->merged_config);
	}
	if (r->opts)
		opt_each(r->opts, put_config, &out);
	out.failed |= !report_json_put(root, "config", out.values);
	out.failed |= !report_json_put(root, "config_source", out.origins);
	return !out.failed;
}

bool report_json_part(json_t *root, const struct result *r)
{
	const struct part *p;
	json_t *o;
	bool ok;

	if (!r->whole)
		return true;
	p = &r->whole->part;
	const struct field fields[] = {
		{ "number", p->number },
		{ "count", p->count },
		{ "connections", r->whole->connections },
		{ "start_skew_ns", r->whole->start_at > 0 ? r->start_skew_ns : UNKNOWN },
		{ "clock_offset_ns", r->whole->clock.known ? r->whole->clock.offset_ns : UNKNOWN },
		{ "clock_uncertainty_ns",
		  r->whole->clock.known ? r->whole->clock.uncertainty_ns : UNKNOWN },
		{ "clock_stepped_ns", r->clock_stepped_ns },
	};
	o = report_json_numbers(fields, ARRAY_LEN(fields));
	ok = report_json_put(o, "ignore_errors", json_boolean(r->whole->ignore_errors));
	ok &= report_json_put(o, "from", p->from[0] ? tojson_text(p->from) : json_null());
	ok &= report_json_put(o, "run",
			      r->whole->run_id[0] ? tojson_text(r->whole->run_id) : json_null());
	return report_json_put(root, "part", o) && ok;
}

struct context_out {
	json_t *context, *sysctls;
	bool failed;
};

static void put_fact(void *arg, const char *name, const char *value)
{
	struct context_out *out = arg;
	json_t *object = strchr(name, '.') ? out->sysctls : out->context;
	const bool number = strncmp(name, "cpus_", 5) == 0;

	out->failed |= !report_json_put(
		object, name, number ? json_integer(strtoll(value, NULL, 10)) : tojson_text(value));
}

static json_t *json_argv(const struct result *r)
{
	json_t *a = json_array();

	for (int i = 0; i < r->argc; i++) {
		if (json_array_append_new(a, tojson_text(r->argv[i])) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

json_t *report_json_context(const struct result *r)
{
	struct context_out out = { .context = json_object(), .sysctls = json_object() };
	bool ok = report_json_put(out.context, "start_unix_ns", json_integer(r->start_unix_ns));

	ok &= report_json_put(out.context, "argv", json_argv(r));
	ok &= report_json_put(out.context, "backend", tojson_text(r->backend));
	ok &= report_json_put(out.context, "backend_why",
			      tojson_text(r->backend_why ? r->backend_why : ""));
	ok &= report_json_put(out.context, "threads", json_integer(r->threads));
	if (r->merged) {
		ok &= report_json_put(out.context, "merged", json_incref(r->merged));
		ok &= report_json_put(out.context, "merged_how", tojson_text(r->merged_how));
	}
	if (r->provenance)
		provenance_each(r->provenance, put_fact, &out);
	ok &= report_json_put(out.context, "sysctls", out.sysctls);
	if (ok && !out.failed)
		return out.context;
	json_decref(out.context);
	return NULL;
}
