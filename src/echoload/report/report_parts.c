/* SPDX-License-Identifier: MIT
 * report_parts: the JSON objects that results and streams share. Objects of numbers are made from
 * tables of fields. Every object is checked once, where it is report_json_put into the one around
 * it: NULL stands for "no memory" on the whole way up.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "echo/base/base.h"
#include "echoload/result/result.h"
#include "report_private.h"

bool report_json_put(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new(object, key, value) == 0;
}

static json_t *number_json(int64_t value)
{
	return value == UNKNOWN ? json_null() : json_integer(value);
}

json_t *report_json_numbers(const struct field *fields, size_t count)
{
	json_t *o = json_object();

	for (size_t i = 0; i < count; i++) {
		if (!report_json_put(o, fields[i].key, number_json(fields[i].value))) {
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

int64_t report_json_or_unknown(int64_t value)
{
	return value < 0 ? UNKNOWN : value;
}

json_t *report_json_latency(const struct latency *l)
{
	const struct field fields[] = {
		{ "count", (int64_t)l->count },
		{ "min", l->min },
		{ "mean", l->mean },
		{ "p50", l->p50 },
		{ "p90", l->p90 },
		{ "p99", l->p99 },
		{ "p99_9", l->p99_9 },
		{ "p99_99", l->p99_99 },
		{ "max", l->max },
	};

	return report_json_numbers(fields, ARRAY_LEN(fields));
}

json_t *report_json_rate(double per_second)
{
	assert(isfinite(per_second));
	return json_real(round(per_second * 1000) / 1000); /* of what is more nothing is known */
}

/* Those that have a count: {"reset": 3}. */
static json_t *ended_json(const struct interval_counts *n)
{
	json_t *o = json_object();

	for (unsigned i = 0; i < CAUSE_COUNT; i++) {
		if (n->ended[i] == 0 ||
		    report_json_put(o, cause_name(i), json_integer((json_int_t)n->ended[i])))
			continue;
		json_decref(o);
		return NULL;
	}
	return o;
}

/* Those that have a count: [[from_ns, count], ...]. */
static json_t *buckets_json(const uint64_t buckets[BUCKETS])
{
	json_t *a = json_array();

	for (unsigned i = 0; i < BUCKETS; i++) {
		if (buckets[i] == 0 ||
		    json_array_append_new(a, json_pack("[II]", (json_int_t)result_bucket_ns(i),
						       (json_int_t)buckets[i])) == 0)
			continue;
		json_decref(a);
		return NULL;
	}
	return a;
}

json_t *report_json_interval(const struct interval *i)
{
	const struct field fields[] = {
		{ "begin_ns", i->begin_ns },
		{ "end_ns", i->end_ns },
		{ "sent", (int64_t)i->counts.sent },
		{ "echoed", (int64_t)i->counts.echoed },
		{ "lost", (int64_t)i->counts.lost },
		{ "missed", (int64_t)i->counts.missed },
		{ "errors", (int64_t)i->counts.errors },
		{ "connects", (int64_t)i->counts.connects },
		{ "open", i->open },
	};
	json_t *o = report_json_numbers(fields, ARRAY_LEN(fields));

	if (report_json_put(o, "per_second", report_json_rate(result_interval_rate(i))) &&
	    report_json_put(o, "ended", ended_json(&i->counts)) &&
	    report_json_put(o, "latency_ns", report_json_latency(&i->latency)) &&
	    report_json_put(o, "latency_buckets", buckets_json(i->buckets)))
		return o;
	json_decref(o);
	return NULL;
}

json_t *report_json_outage(const struct outage *o)
{
	const struct field fields[] = {
		{ "begin_ns", o->begin_ns },
		{ "noticed_ns", o->noticed_ns },
		{ "first_success_ns", report_json_or_unknown(o->first_success_ns) },
		{ "recovered_ns", report_json_or_unknown(o->recovered_ns) },
		{ "messages_lost", (int64_t)o->messages_lost },
	};
	json_t *json = report_json_numbers(fields, ARRAY_LEN(fields));

	if (report_json_put(json, "by_silence", json_boolean(o->by_silence)))
		return json;
	json_decref(json);
	return NULL;
}

/* [first_ns, last_ns, errors, messages_lost, down, last_echo_ns, back_ns] */
json_t *report_json_service(const struct service_row *rows, unsigned count)
{
	json_t *a = json_array();

	for (unsigned i = 0; i < count; i++) {
		const struct service_row *r = &rows[i];
		const json_int_t numbers[] = {
			r->first_ns,
			r->last_ns,
			(json_int_t)r->errors,
			(json_int_t)r->messages_lost,
			r->down,
			r->last_echo_ns,
			r->back_ns,
		};
		json_t *row = json_array();

		for (size_t k = 0; k < ARRAY_LEN(numbers); k++)
			(void)json_array_append_new(row, numbers[k] < 0 ? json_null()
									: json_integer(numbers[k]));
		if (json_array_size(row) == ARRAY_LEN(numbers) &&
		    json_array_append_new(a, row) == 0)
			continue;
		json_decref(a);
		return NULL;
	}
	return a;
}
