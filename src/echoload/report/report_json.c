/* SPDX-License-Identifier: MIT
 * report_json: a result as echoload/1 (docs/results.md; docs/echoload-1.schema.json). The keys are
 * a contract: add, never rename.
 *
 * report_parts.c makes the objects that streams have too, report_context.c says where it comes
 * from.
 */
#include "report.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echo/base/hist_codec.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"
#include "echoload/result/targets.h"
#include "report_private.h"

/* ---- the books ---- */

/* Puts the numbers of a group into @o. Returns @o, or frees it and returns NULL: no memory. */
static json_t *with_books(json_t *o, const struct books *b, enum books_group group)
{
	for (size_t i = 0; o && i < BOOKS_FIELDS; i++) {
		const struct books_field *f = &books_fields[i];

		if (f->group != group ||
		    report_json_put(o, f->key, json_integer((json_int_t)books_number_of(b, f))))
			continue;
		json_decref(o);
		o = NULL;
	}
	return o;
}

/* Of all targets, or of one. */
static json_t *connections_json(const struct books *b, uint32_t requested)
{
	const struct field first = { "requested", requested };

	return with_books(report_json_numbers(&first, 1), b, BOOKS_CONNECTIONS);
}

/* @o with a rate; frees it and returns NULL when there is no memory. */
static json_t *with_rate(json_t *o, const char *key, double per_second)
{
	if (report_json_put(o, key, report_json_rate(per_second)))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *messages_json(const struct result *r)
{
	json_t *o = with_rate(with_books(json_object(), &r->books, BOOKS_MESSAGES), "per_second",
			      result_rate(r));

	return with_rate(o, "planned_per_second", r->config->rate);
}

static json_t *measured_json(const struct result *r)
{
	const struct field times[] = {
		{ "begin_ns", r->measure_begin_ns },
		{ "end_ns", r->measure_end_ns },
	};

	return with_books(report_json_numbers(times, ARRAY_LEN(times)), &r->books, BOOKS_MEASURED);
}

static json_t *outcome_json(const struct outcome *o)
{
	const struct field fields[] = {
		{ "count", (int64_t)o->count },
		{ "messages_lost", (int64_t)o->messages_lost },
		{ "first_ns", o->first_ns },
		{ "last_ns", o->last_ns },
	};
	json_t *row = json_object(), *numbers = report_json_numbers(fields, ARRAY_LEN(fields));
	bool ok = report_json_put(row, "cause", tojson_text(cause_name(o->cause)));

	ok &= report_json_put(row, "phase", tojson_text(cause_phase_name(o->at)));
	ok &= report_json_put(row, "errno",
			      o->err ? tojson_text(cause_errno_name(o->err)) : json_null());
	ok &= json_object_update(row, numbers) == 0;
	json_decref(numbers);
	if (ok)
		return row;
	json_decref(row);
	return NULL;
}

static json_t *outcomes_json(const struct books *b)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < b->outcome_count; i++) {
		if (json_array_append_new(a, outcome_json(&b->outcomes[i])) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *outages_json(const struct result *r)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < r->outage_count; i++) {
		if (json_array_append_new(a, report_json_outage(&r->outages[i])) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *intervals_json(const struct result *r)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < r->interval_count; i++) {
		if (json_array_append_new(a, report_json_interval(&r->intervals[i])) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *hist_json(const struct hist *h)
{
	struct latency l;

	result_latency(h, &l);
	return report_json_latency(&l);
}

static json_t *histogram_json(const struct hist *h)
{
	char *text = hist_codec_encode(h);
	json_t *s = text ? json_string(text) : NULL;

	free(text);
	return s;
}

static json_t *target_json(const struct result *r, unsigned i)
{
	const struct target_result *t = &r->targets[i];
	const struct books *b = &t->books;
	json_t *o = json_object(), *connections = connections_json(b, t->requested);
	bool ok = report_json_put(o, "target", tojson_text(t->name));

	ok &= report_json_put(o, "address", tojson_text(t->address));
	ok &= report_json_put(o, "connections", connections);
	ok &= json_object_del(connections, "peak") == 0; /* known of all targets together only */
	ok &= report_json_put(o, "messages", with_books(json_object(), b, BOOKS_MESSAGES));
	ok &= report_json_put(o, "outcomes", outcomes_json(b));
	ok &= report_json_put(o, "last_echo_ns",
			      b->last_echo_ns > 0 ? json_integer(b->last_echo_ns) : json_null());
	if (r->target_count > 1)
		ok &= report_json_put(o, "state",
				      json_string(targets_state_name(targets_state(r, i))));
	if (t->latency) {
		ok &= report_json_put(o, "latency_ns", hist_json(t->latency));
		ok &= report_json_put(o, "histogram", histogram_json(t->latency));
	}
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *targets_json(const struct result *r)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < r->target_count; i++) {
		if (json_array_append_new(a, target_json(r, i)) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

/* null when every byte was right. */
static json_t *corruption_json(const struct corruption *c)
{
	const struct field fields[] = {
		{ "connection", (int64_t)c->connection },
		{ "offset", (int64_t)c->offset },
		{ "expected", c->surplus ? UNKNOWN : c->expected },
		{ "seen", c->seen },
	};

	return c->found ? report_json_numbers(fields, ARRAY_LEN(fields)) : json_null();
}

static json_t *histograms_json(const struct result *r)
{
	json_t *o = json_object();

	if (report_json_put(o, "latency_ns", histogram_json(r->latency)) &&
	    report_json_put(o, "latency_uncorrected_ns", histogram_json(r->uncorrected)) &&
	    report_json_put(o, "latency_outside_outage_ns", histogram_json(r->outside)) &&
	    report_json_put(o, "connect_ns", histogram_json(r->connect)) &&
	    report_json_put(o, "lateness_ns", histogram_json(r->lateness)))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *pauses_json(const struct pauses *p)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < p->count; i++) {
		const struct field times[] = { { "begin_ns", p->list[i].begin_ns },
					       { "end_ns", p->list[i].end_ns } };

		if (json_array_append_new(a, report_json_numbers(times, ARRAY_LEN(times))) == 0)
			continue;
		json_decref(a);
		return NULL;
	}
	return a;
}

static json_t *tcp_json(const struct tcp_counters *c)
{
	struct field fields[TCP_COUNTERS];

	for (unsigned i = 0; i < TCP_COUNTERS; i++)
		fields[i] = (struct field){ tcp_counter_name(i), report_json_or_unknown(c->of[i]) };
	return report_json_numbers(fields, TCP_COUNTERS);
}

static json_t *generator_json(const struct result *r)
{
	static const char *const bottlenecks[] = {
		[BOTTLENECK_UNKNOWN] = "unknown",
		[BOTTLENECK_CLIENT] = "client",
		[BOTTLENECK_SERVER] = "server",
	};
	const struct field fields[] = {
		{ "late_sends", (int64_t)r->late_sends },
		{ "cpu_ns", r->cpu_ns },
		{ "busy_poll_ns", r->busy_poll_ns },
		{ "wait_ns", report_json_or_unknown(r->wait_ns) },
		{ "throttled", (int64_t)r->throttled },
		{ "throttled_ns", r->throttled_ns },
		{ "paused_ns", r->pauses.total_ns },
		{ "steal_ns", report_json_or_unknown(r->steal_ns) },
	};
	json_t *o = report_json_numbers(fields, ARRAY_LEN(fields));

	if (report_json_put(o, "lateness_ns", hist_json(r->lateness)) &&
	    report_json_put(o, "quota_cpus", r->quota > 0 ? json_real(r->quota) : json_null()) &&
	    report_json_put(o, "pauses", pauses_json(&r->pauses)) &&
	    report_json_put(o, "host_tcp", tcp_json(&r->tcp)) &&
	    report_json_put(o, "bottleneck", json_string(bottlenecks[r->bottleneck])) &&
	    report_json_put(o, "bottleneck_reason",
			    json_string(bottleneck_reason_name(r->bottleneck_reason))))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *exit_json(const struct result *r)
{
	json_t *o = json_object();

	if (report_json_put(o, "code", json_integer(r->exit_code)) &&
	    report_json_put(o, "reason", tojson_text(r->exit_reason)))
		return o;
	json_decref(o);
	return NULL;
}

json_t *report_json_result(const struct result *r)
{
	json_t *root = json_object();
	bool ok = report_json_put(root, "schema", json_string("echoload/1"));

	ok &= report_json_put(root, "exit", exit_json(r));
	ok &= report_json_put(root, "interrupted", json_boolean(r->interrupted));
	ok &= report_json_configs(root, r);
	ok &= report_json_put(root, "context", report_json_context(r));
	ok &= report_json_part(root, r);
	if (r->merged_parts)
		ok &= report_json_put(root, "parts", json_incref(r->merged_parts));
	if (r->phase)
		ok &= report_json_put(root, "phase", tojson_text(r->phase));
	ok &= report_json_put(root, "duration_ns", json_integer(r->duration_ns));
	ok &= report_json_put(root, "connections",
			      with_rate(connections_json(&r->books, r->config->connections),
					"per_second", result_connect_rate(r)));
	ok &= report_json_put(root, "messages", messages_json(r));
	ok &= report_json_put(root, "measured", measured_json(r));
	ok &= report_json_put(root, "bytes", with_books(json_object(), &r->books, BOOKS_BYTES));
	ok &= report_json_put(root, "latency_ns", hist_json(r->latency));
	ok &= report_json_put(root, "latency_uncorrected_ns", hist_json(r->uncorrected));
	ok &= report_json_put(root, "latency_outside_outage_ns", hist_json(r->outside));
	ok &= report_json_put(root, "connect_ns", hist_json(r->connect));
	ok &= report_json_put(root, "histograms", histograms_json(r));
	ok &= report_json_put(root, "outcomes", outcomes_json(&r->books));
	ok &= report_json_put(root, "targets", targets_json(r));
	ok &= report_json_put(root, "outages", outages_json(r));
	ok &= report_json_put(root, "outages_unlisted",
			      json_integer((json_int_t)r->outages_unlisted));
	if (r->whole)
		ok &= report_json_put(root, "service",
				      report_json_service(r->service, r->service_count));
	ok &= report_json_put(root, "corruption", corruption_json(&r->books.corruption));
	ok &= report_json_put(root, "intervals", intervals_json(r));
	ok &= report_json_put(root, "intervals_unlisted",
			      json_integer((json_int_t)r->intervals_unlisted));
	ok &= report_json_put(root, "generator", generator_json(r));
	if (ok)
		return root;
	json_decref(root);
	return NULL;
}

static int json_end(const struct result *r, FILE *to)
{
	return tojson_write(report_json_result(r), JSON_INDENT(2) | REPORT_JSON_REAL, to);
}

const struct report_format report_json = {
	.option = "json",
	.name = offsetof(struct load_config, json),
	.end = json_end,
};
