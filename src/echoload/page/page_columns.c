/* SPDX-License-Identifier: MIT
 * page_columns: intervals by column. Most columns hardly ever change (nothing was lost, all
 * connections are open), so that an hour of seconds is no longer than a minute of them.
 */
#include "page_private.h"

#include "echo/base/base.h"
#include "echo/base/cause.h"
#include "echoload/report/report_private.h"
#include "echoload/tools/run_file.h"

bool page_interval_times(const json_t *interval, int64_t after_ns, int64_t *begin_ns,
			 int64_t *end_ns)
{
	*begin_ns = run_file_number(interval, "begin_ns", -1);
	*end_ns = run_file_number(interval, "end_ns", -1);
	return *begin_ns >= after_ns && *end_ns > *begin_ns;
}

/* A column as pairs of a value and how often it is repeated. */
static json_t *column_runs(const json_t *column)
{
	json_t *runs = json_array();
	const json_t *value;
	json_int_t count = 0;
	size_t i;
	int e = 0;

	json_array_foreach(column, i, value)
	{
		count++;
		if (json_equal(value, json_array_get(column, i + 1)))
			continue;
		e |= json_array_append_new(runs, json_deep_copy(value));
		e |= json_array_append_new(runs, json_integer(count));
		count = 0;
	}
	if (e == 0)
		return runs;
	json_decref(runs);
	return NULL;
}

/* The shorter form of @column, which it takes. */
static json_t *column_pack(json_t *column)
{
	json_t *runs = column ? column_runs(column) : NULL, *packed = NULL;

	if (runs && json_array_size(runs) < json_array_size(column)) {
		packed = json_pack("{sO}", "runs", runs);
		json_decref(column);
	} else if (runs) {
		packed = column;
	} else {
		json_decref(column);
	}
	json_decref(runs);
	return packed;
}

/* Where a column's values stand: in the interval, or in an object of it. */
struct column {
	const char *name, *object, *key;
};

/* null where there is no such number, or no message that it could be of. */
static json_t *column_value(const json_t *interval, const struct column *c)
{
	const json_t *from = c->object ? json_object_get(interval, c->object) : interval;
	const bool empty = c->object && run_file_number(from, "count", 1) == 0;
	const int64_t n = run_file_number(from, c->key, -1);

	return n < 0 || empty ? json_null() : json_integer(n);
}

/* The columns of all intervals, whose times have been checked. */
static json_t *column_of(const json_t *intervals, const struct column *c)
{
	json_t *column = json_array();
	const json_t *interval;
	size_t i;

	json_array_foreach(intervals, i, interval)
	{
		if (json_array_append_new(column, column_value(interval, c)) == 0)
			continue;
		json_decref(column);
		return NULL;
	}
	return column_pack(column);
}

/* Puts "begin_ns" and "span_ns". */
static bool put_times(json_t *columns, const json_t *intervals)
{
	json_t *begins = json_array(), *spans = json_array();
	const json_t *interval;
	int64_t last_ns = 0, begin_ns, end_ns;
	size_t i;
	int e = 0;

	json_array_foreach(intervals, i, interval)
	{
		(void)page_interval_times(interval, last_ns, &begin_ns, &end_ns);
		e |= json_array_append_new(begins, json_integer(begin_ns - last_ns));
		e |= json_array_append_new(spans, json_integer(end_ns - begin_ns));
		last_ns = end_ns;
	}
	e |= !report_json_put(columns, "begin_ns", column_pack(begins));
	e |= !report_json_put(columns, "span_ns", column_pack(spans));
	return e == 0;
}

/* Whether any interval has an end by this cause. */
static bool has_cause(const json_t *intervals, const char *cause)
{
	const json_t *interval;
	size_t i;

	json_array_foreach(intervals, i, interval)
	{
		if (run_file_number(json_object_get(interval, "ended"), cause, 0) > 0)
			return true;
	}
	return false;
}

/* A column for each cause that there was. */
static json_t *ended_columns(const json_t *intervals)
{
	json_t *ended = json_object();

	for (unsigned i = 0; i < CAUSE_COUNT; i++) {
		const char *cause = cause_name(i);
		const struct column c = { cause, "ended", cause };

		if (!has_cause(intervals, cause) ||
		    report_json_put(ended, cause, column_of(intervals, &c)))
			continue;
		json_decref(ended);
		return NULL;
	}
	return ended;
}

/* Those that can be drawn. */
static json_t *valid_intervals(const json_t *intervals)
{
	json_t *kept = json_array(), *interval;
	int64_t last_ns = 0, begin_ns, end_ns;
	size_t i;

	json_array_foreach(intervals, i, interval)
	{
		if (!page_interval_times(interval, last_ns, &begin_ns, &end_ns))
			continue;
		last_ns = end_ns;
		if (json_array_append(kept, interval) == 0)
			continue;
		json_decref(kept);
		return NULL;
	}
	return kept;
}

json_t *page_columns(const json_t *intervals)
{
	static const struct column list[] = {
		{ "echoed", NULL, "echoed" },     { "lost", NULL, "lost" },
		{ "missed", NULL, "missed" },     { "errors", NULL, "errors" },
		{ "connects", NULL, "connects" }, { "open", NULL, "open" },
		{ "p50", "latency_ns", "p50" },   { "p99", "latency_ns", "p99" },
		{ "max", "latency_ns", "max" },
	};
	json_t *columns = json_object(), *valid = valid_intervals(intervals);
	bool ok = valid && put_times(columns, valid);

	for (size_t i = 0; ok && i < ARRAY_LEN(list); i++)
		ok = report_json_put(columns, list[i].name, column_of(valid, &list[i]));
	ok = ok && report_json_put(columns, "ended", ended_columns(valid));
	json_decref(valid);
	if (ok)
		return columns;
	json_decref(columns);
	return NULL;
}
