/* SPDX-License-Identifier: MIT
 * report_json: a result as echoload/1 (CLI.md; docs/echoload-1.schema.json). The keys are a
 * contract: add, never rename.
 *
 * Objects of numbers are made from tables of fields. Every object is checked once, where it is put
 * into the one around it: NULL stands for "no memory" on the whole way up.
 */
#include "report.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base.h"
#include "echo/hist.h"
#include "echo/hist_hdr.h"
#include "echo/opt.h"
#include "echo/provenance.h"
#include "opts.h"
#include "result.h"

enum { STRING_MAX = 4096 }; /* longer strings with bytes that are no UTF-8 are cut */

/* A key and its number; UNKNOWN becomes null. */
struct field {
	const char *key;
	int64_t value;
};

static const int64_t UNKNOWN = INT64_MIN;

/* Puts @value into @object, which takes it. Either may be NULL. Returns whether all went well. */
static bool put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0;
}

/* JSON is UTF-8; arguments and names of files need not be. */
static json_t *json_text(const char *s)
{
	json_t *text = json_string(s);
	char ascii[STRING_MAX];
	size_t n = 0;

	if (text)
		return text;
	for (; s[n] && n < sizeof(ascii) - 1; n++)
		ascii[n] = s[n];
	for (size_t i = 0; i < n; i++)
		ascii[i] = (unsigned char)ascii[i] < 0x80 ? ascii[i] : '?';
	return json_stringn(ascii, n);
}

static json_t *json_number(int64_t value)
{
	return value == UNKNOWN ? json_null() : json_integer(value);
}

static json_t *json_numbers(const struct field *fields, size_t count)
{
	json_t *o = json_object();

	for (size_t i = 0; i < count; i++) {
		if (!put(o, fields[i].key, json_number(fields[i].value))) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

static int64_t or_unknown(int64_t value)
{
	return value < 0 ? UNKNOWN : value;
}

/* ---- where it comes from ---- */

static const char *source_text(const struct opt_set *s, const struct opt_source *from,
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
	json_t *values, *sources;
	bool failed;
};

/* Keys of the first section are plain, those of others carry its name: "io_uring.buffers". */
static void put_config(void *arg, const char *section, const char *key, const char *value)
{
	struct config_out *out = arg;
	const bool plain = strcmp(section, out->opts->sections[0].name) == 0;
	char name[OPT_TEXT_MAX], text[OPT_TEXT_MAX];
	const struct opt_source *from;

	snprintf(name, sizeof(name), "%s%s%s", plain ? "" : section, plain ? "" : ".", key);
	from = opt_source_of(out->opts, name);
	assert(from);
	out->failed |= !put(out->values, name, json_text(value));
	out->failed |= !put(out->sources, name, json_text(source_text(out->opts, from, text)));
}

static bool put_configs(json_t *root, const struct result *r)
{
	struct config_out out = { .opts = r->opts,
				  .values = json_object(),
				  .sources = json_object() };

	if (r->opts)
		opt_each(r->opts, put_config, &out);
	out.failed |= !put(root, "config", out.values);
	out.failed |= !put(root, "config_source", out.sources);
	return !out.failed;
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

	out->failed |= !put(object, name,
			    number ? json_integer(strtoll(value, NULL, 10)) : json_text(value));
}

static json_t *json_argv(const struct result *r)
{
	json_t *a = json_array();

	for (int i = 0; i < r->argc; i++) {
		if (json_array_append_new(a, json_text(r->argv[i])) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *json_context(const struct result *r)
{
	struct context_out out = { .context = json_object(), .sysctls = json_object() };
	bool ok = put(out.context, "start_unix_ns", json_integer(r->start_unix_ns));

	ok &= put(out.context, "argv", json_argv(r));
	ok &= put(out.context, "backend", json_text(r->backend));
	ok &= put(out.context, "backend_why", json_text(r->backend_why ? r->backend_why : ""));
	ok &= put(out.context, "threads", json_integer(r->threads));
	if (r->provenance)
		provenance_each(r->provenance, put_fact, &out);
	ok &= put(out.context, "sysctls", out.sysctls);
	if (ok && !out.failed)
		return out.context;
	json_decref(out.context);
	return NULL;
}

/* ---- the books ---- */

/* Of all targets, or of one: the connections that were requested are shared out in turn. */
static json_t *json_connections(const struct books *b, uint32_t requested)
{
	const struct field fields[] = {
		{ "requested", requested },
		{ "attempts", (int64_t)b->attempts },
		{ "established", (int64_t)b->established },
		{ "failed", (int64_t)b->failed },
		{ "connecting_at_end", (int64_t)b->connecting_at_end },
		{ "open_at_end", (int64_t)b->open_at_end },
		{ "peak", (int64_t)b->peak },
	};

	return json_numbers(fields, ARRAY_LEN(fields));
}

static json_t *json_counts(const struct books *b)
{
	const struct field fields[] = {
		{ "planned", (int64_t)b->planned },
		{ "missed", (int64_t)b->missed },
		{ "sent", (int64_t)b->all.sent },
		{ "echoed", (int64_t)b->all.echoed },
		{ "corrupt", (int64_t)b->all.corrupt },
		{ "lost", (int64_t)b->all.lost },
		{ "unfinished", (int64_t)b->all.unfinished },
		{ "lost_unsent", (int64_t)b->lost[LOST_UNSENT] },
		{ "lost_partial", (int64_t)b->lost[LOST_PARTIAL] },
		{ "lost_unacked", (int64_t)b->lost[LOST_UNACKED] },
		{ "lost_acked", (int64_t)b->lost[LOST_ACKED] },
	};

	return json_numbers(fields, ARRAY_LEN(fields));
}

static json_t *json_messages(const struct result *r)
{
	json_t *o = json_counts(&r->books);
	double rate = round(result_rate(r) * 1000) / 1000; /* of what is more nothing is known */

	assert(isfinite(rate));
	if (put(o, "per_second", json_real(rate)))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *json_measured(const struct result *r)
{
	const struct message_counts *m = &r->books.measured;
	const struct field fields[] = {
		{ "begin_ns", r->measure_begin_ns },
		{ "end_ns", r->measure_end_ns },
		{ "sent", (int64_t)m->sent },
		{ "echoed", (int64_t)m->echoed },
		{ "corrupt", (int64_t)m->corrupt },
		{ "lost", (int64_t)m->lost },
		{ "unfinished", (int64_t)m->unfinished },
		{ "echoed_in_outage", (int64_t)r->books.echoed_in_outage },
	};

	return json_numbers(fields, ARRAY_LEN(fields));
}

static json_t *json_bytes(const struct result *r)
{
	const struct books *b = &r->books;
	const struct field fields[] = {
		{ "sent", (int64_t)b->bytes_sent },
		{ "received", (int64_t)b->bytes_received },
		{ "echoed", (int64_t)b->bytes_echoed },
		{ "partial", (int64_t)b->bytes_partial },
		{ "surplus", (int64_t)b->bytes_surplus },
	};

	return json_numbers(fields, ARRAY_LEN(fields));
}

static json_t *json_outcome(const struct outcome *o)
{
	const struct field fields[] = {
		{ "count", (int64_t)o->count },
		{ "messages_lost", (int64_t)o->messages_lost },
		{ "first_ns", o->first_ns },
		{ "last_ns", o->last_ns },
	};
	json_t *row = json_object(), *numbers = json_numbers(fields, ARRAY_LEN(fields));
	bool ok = put(row, "cause", json_text(fail_name(o->why)));

	ok &= put(row, "phase", json_text(phase_name(o->at)));
	ok &= put(row, "errno", o->err ? json_text(fail_errno_name(o->err)) : json_null());
	ok &= json_object_update(row, numbers) == 0;
	json_decref(numbers);
	if (ok)
		return row;
	json_decref(row);
	return NULL;
}

static json_t *json_outcomes(const struct books *b)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < b->outcome_count; i++) {
		if (json_array_append_new(a, json_outcome(&b->outcomes[i])) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *json_outages(const struct result *r)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < r->outage_count; i++) {
		const struct outage *o = &r->outages[i];
		const struct field fields[] = {
			{ "begin_ns", o->begin_ns },
			{ "noticed_ns", o->noticed_ns },
			{ "first_success_ns", or_unknown(o->first_success_ns) },
			{ "recovered_ns", or_unknown(o->recovered_ns) },
			{ "messages_lost", (int64_t)o->messages_lost },
		};

		if (json_array_append_new(a, json_numbers(fields, ARRAY_LEN(fields))) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

/* The part of @requested connections that target @i of @count has: they take turns. */
static uint32_t target_share(uint32_t requested, unsigned i, unsigned count)
{
	return requested / count + (i < requested % count);
}

static json_t *json_target(const struct result *r, unsigned i)
{
	const struct target_result *t = &r->targets[i];
	const struct books *b = &t->books;
	uint32_t share = target_share(r->config->connections, i, r->target_count);
	json_t *o = json_object(), *connections = json_connections(b, share);
	bool ok = put(o, "target", json_text(t->name));

	ok &= put(o, "address", json_text(t->address));
	ok &= put(o, "connections", connections);
	ok &= json_object_del(connections, "peak") == 0; /* known of all targets together only */
	ok &= put(o, "messages", json_counts(b));
	ok &= put(o, "outcomes", json_outcomes(b));
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *json_targets(const struct result *r)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < r->target_count; i++) {
		if (json_array_append_new(a, json_target(r, i)) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

/* null when every byte was right. */
static json_t *json_corruption(const struct corruption *c)
{
	const struct field fields[] = {
		{ "connection", (int64_t)c->connection },
		{ "offset", (int64_t)c->offset },
		{ "expected", c->surplus ? UNKNOWN : c->expected },
		{ "seen", c->seen },
	};

	return c->found ? json_numbers(fields, ARRAY_LEN(fields)) : json_null();
}

/* ---- latency ---- */

static json_t *json_latency(const struct hist *h)
{
	const struct field fields[] = {
		{ "count", (int64_t)h->count },
		{ "min", h->count > 0 ? h->min : 0 },
		{ "mean", (int64_t)llround(hist_mean(h)) },
		{ "p50", hist_percentile(h, 50) },
		{ "p90", hist_percentile(h, 90) },
		{ "p99", hist_percentile(h, 99) },
		{ "p99_9", hist_percentile(h, 99.9) },
		{ "p99_99", hist_percentile(h, 99.99) },
		{ "max", h->max },
	};

	return json_numbers(fields, ARRAY_LEN(fields));
}

static json_t *json_histogram(const struct hist *h)
{
	char *text = hist_hdr_encode(h);
	json_t *s = text ? json_string(text) : NULL;

	free(text);
	return s;
}

static json_t *json_histograms(const struct result *r)
{
	json_t *o = json_object();

	if (put(o, "latency_ns", json_histogram(r->latency)) &&
	    put(o, "latency_outside_outage_ns", json_histogram(r->outside)))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *json_generator(const struct result *r)
{
	static const char *const bottlenecks[] = {
		[BOTTLENECK_UNKNOWN] = "unknown",
		[BOTTLENECK_CLIENT] = "client",
		[BOTTLENECK_SERVER] = "server",
	};
	const struct field fields[] = {
		{ "late_sends", (int64_t)r->late_sends },
		{ "cpu_ns", r->cpu_ns },
		{ "steal_ns", or_unknown(r->steal_ns) },
	};
	json_t *o = json_numbers(fields, ARRAY_LEN(fields));

	if (put(o, "lateness_ns", json_latency(r->lateness)) &&
	    put(o, "bottleneck", json_string(bottlenecks[r->bottleneck])))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *json_exit(const struct result *r)
{
	json_t *o = json_object();

	if (put(o, "code", json_integer(r->exit_code)) &&
	    put(o, "reason", json_text(r->exit_reason)))
		return o;
	json_decref(o);
	return NULL;
}

/* All of it; NULL: no memory. */
static json_t *json_result(const struct result *r)
{
	json_t *root = json_object();
	bool ok = put(root, "schema", json_string("echoload/1"));

	ok &= put(root, "exit", json_exit(r));
	ok &= put(root, "interrupted", json_boolean(r->interrupted));
	ok &= put_configs(root, r);
	ok &= put(root, "context", json_context(r));
	ok &= put(root, "duration_ns", json_integer(r->duration_ns));
	ok &= put(root, "connections", json_connections(&r->books, r->config->connections));
	ok &= put(root, "messages", json_messages(r));
	ok &= put(root, "measured", json_measured(r));
	ok &= put(root, "bytes", json_bytes(r));
	ok &= put(root, "latency_ns", json_latency(r->latency));
	ok &= put(root, "latency_uncorrected_ns", json_latency(r->uncorrected));
	ok &= put(root, "latency_outside_outage_ns", json_latency(r->outside));
	ok &= put(root, "connect_ns", json_latency(r->connect));
	ok &= put(root, "histograms", json_histograms(r));
	ok &= put(root, "outcomes", json_outcomes(&r->books));
	ok &= put(root, "targets", json_targets(r));
	ok &= put(root, "outages", json_outages(r));
	ok &= put(root, "outages_unlisted", json_integer((json_int_t)r->outages_unlisted));
	ok &= put(root, "corruption", json_corruption(&r->books.corruption));
	ok &= put(root, "intervals", json_array());
	ok &= put(root, "generator", json_generator(r));
	if (ok)
		return root;
	json_decref(root);
	return NULL;
}

int report_json(const struct result *r, FILE *to)
{
	json_t *root = json_result(r);
	int e = 0;

	if (!root)
		return -ENOMEM;
	errno = 0;
	if (json_dumpf(root, to, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) < 0 ||
	    fputc('\n', to) == EOF || fflush(to) != 0)
		e = errno ? -errno : -EIO;
	json_decref(root);
	return e;
}
