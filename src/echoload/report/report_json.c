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
#include "echo/base/hist_hdr.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"
#include "report_private.h"

/* ---- the books ---- */

/* Puts the numbers of a group into @o. Returns @o, or frees it and returns NULL: no memory. */
static json_t *with_books(json_t *o, const struct books *b, enum books_group group)
{
	for (size_t i = 0; o && i < BOOKS_FIELDS; i++) {
		const struct books_field *f = &books_fields[i];

		if (f->group != group ||
		    put(o, f->key, json_integer((json_int_t)books_number_of(b, f))))
			continue;
		json_decref(o);
		o = NULL;
	}
	return o;
}

/* Of all targets, or of one. */
static json_t *json_connections(const struct books *b, uint32_t requested)
{
	const struct field first = { "requested", requested };

	return with_books(json_numbers(&first, 1), b, BOOKS_CONNECTIONS);
}

/* @o with a rate; frees it and returns NULL when there is no memory. */
static json_t *with_rate(json_t *o, const char *key, double per_second)
{
	if (put(o, key, json_rate(per_second)))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *json_messages(const struct result *r)
{
	json_t *o = with_rate(with_books(json_object(), &r->books, BOOKS_MESSAGES), "per_second",
			      result_rate(r));

	return with_rate(o, "planned_per_second", r->config->rate);
}

static json_t *json_measured(const struct result *r)
{
	const struct field times[] = {
		{ "begin_ns", r->measure_begin_ns },
		{ "end_ns", r->measure_end_ns },
	};

	return with_books(json_numbers(times, ARRAY_LEN(times)), &r->books, BOOKS_MEASURED);
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

	ok &= put(row, "phase", json_text(fail_phase_name(o->at)));
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
		if (json_array_append_new(a, json_outage(&r->outages[i])) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *json_intervals(const struct result *r)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < r->interval_count; i++) {
		if (json_array_append_new(a, json_interval(&r->intervals[i])) < 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}

static json_t *json_target(const struct result *r, unsigned i)
{
	const struct target_result *t = &r->targets[i];
	const struct books *b = &t->books;
	json_t *o = json_object(), *connections = json_connections(b, t->requested);
	bool ok = put(o, "target", json_text(t->name));

	ok &= put(o, "address", json_text(t->address));
	ok &= put(o, "connections", connections);
	ok &= json_object_del(connections, "peak") == 0; /* known of all targets together only */
	ok &= put(o, "messages", with_books(json_object(), b, BOOKS_MESSAGES));
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

static json_t *json_hist(const struct hist *h)
{
	struct latency l;

	latency_of(h, &l);
	return json_latency(&l);
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
	    put(o, "latency_uncorrected_ns", json_histogram(r->uncorrected)) &&
	    put(o, "latency_outside_outage_ns", json_histogram(r->outside)) &&
	    put(o, "connect_ns", json_histogram(r->connect)) &&
	    put(o, "lateness_ns", json_histogram(r->lateness)))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *json_pauses(const struct pauses *p)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < p->count; i++) {
		const struct field times[] = { { "begin_ns", p->list[i].begin_ns },
					       { "end_ns", p->list[i].end_ns } };

		if (json_array_append_new(a, json_numbers(times, ARRAY_LEN(times))) == 0)
			continue;
		json_decref(a);
		return NULL;
	}
	return a;
}

static json_t *json_tcp(const struct tcp_counters *c)
{
	struct field fields[TCP_COUNTERS];

	for (unsigned i = 0; i < TCP_COUNTERS; i++)
		fields[i] = (struct field){ tcp_counter_name(i), or_unknown(c->of[i]) };
	return json_numbers(fields, TCP_COUNTERS);
}

static json_t *json_generator(const struct result *r)
{
	static const char *const bottlenecks[] = {
		[BOTTLENECK_UNKNOWN] = "unknown",
		[BOTTLENECK_CLIENT] = "client",
		[BOTTLENECK_SERVER] = "server",
	};
	const struct field fields[] = {
		{ "late_sends", (int64_t)r->late_sends }, { "cpu_ns", r->cpu_ns },
		{ "wait_ns", or_unknown(r->wait_ns) },    { "throttled", (int64_t)r->throttled },
		{ "throttled_ns", r->throttled_ns },      { "paused_ns", r->pauses.total_ns },
		{ "steal_ns", or_unknown(r->steal_ns) },
	};
	json_t *o = json_numbers(fields, ARRAY_LEN(fields));

	if (put(o, "lateness_ns", json_hist(r->lateness)) &&
	    put(o, "quota_cpus", r->quota > 0 ? json_real(r->quota) : json_null()) &&
	    put(o, "pauses", json_pauses(&r->pauses)) && put(o, "host_tcp", json_tcp(&r->tcp)) &&
	    put(o, "bottleneck", json_string(bottlenecks[r->bottleneck])) &&
	    put(o, "bottleneck_reason", json_string(bottleneck_reason_name(r->bottleneck_reason))))
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

json_t *json_result(const struct result *r)
{
	json_t *root = json_object();
	bool ok = put(root, "schema", json_string("echoload/1"));

	ok &= put(root, "exit", json_exit(r));
	ok &= put(root, "interrupted", json_boolean(r->interrupted));
	ok &= put_configs(root, r);
	ok &= put(root, "context", json_context(r));
	if (r->phase)
		ok &= put(root, "phase", json_text(r->phase));
	ok &= put(root, "duration_ns", json_integer(r->duration_ns));
	ok &= put(root, "connections",
		  with_rate(json_connections(&r->books, r->config->connections), "per_second",
			    result_connect_rate(r)));
	ok &= put(root, "messages", json_messages(r));
	ok &= put(root, "measured", json_measured(r));
	ok &= put(root, "bytes", with_books(json_object(), &r->books, BOOKS_BYTES));
	ok &= put(root, "latency_ns", json_hist(r->latency));
	ok &= put(root, "latency_uncorrected_ns", json_hist(r->uncorrected));
	ok &= put(root, "latency_outside_outage_ns", json_hist(r->outside));
	ok &= put(root, "connect_ns", json_hist(r->connect));
	ok &= put(root, "histograms", json_histograms(r));
	ok &= put(root, "outcomes", json_outcomes(&r->books));
	ok &= put(root, "targets", json_targets(r));
	ok &= put(root, "outages", json_outages(r));
	ok &= put(root, "outages_unlisted", json_integer((json_int_t)r->outages_unlisted));
	ok &= put(root, "corruption", json_corruption(&r->books.corruption));
	ok &= put(root, "intervals", json_intervals(r));
	ok &= put(root, "intervals_unlisted", json_integer((json_int_t)r->intervals_unlisted));
	ok &= put(root, "generator", json_generator(r));
	if (ok)
		return root;
	json_decref(root);
	return NULL;
}

int report_json(const struct result *r, FILE *to)
{
	return json_write(json_result(r), JSON_INDENT(2), to);
}
