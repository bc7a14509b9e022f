/* SPDX-License-Identifier: MIT
 * merge_parts: the parts of a load. They are one load only if they were asked for the same, of the
 * same targets, at the same time, by the same program, and each is another part. What is missing is
 * named, with its share of the load: what was measured without it is not what was asked for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echo/base/program.h"
#include "echoload/report/report_private.h"
#include "echoload/result/verdict.h"
#include "merge_private.h"

/* ---- one load ---- */

/* Keys in which parts of one load may differ: they are of a host, or of a file. */
static bool is_own_key(const char *key, bool clocks)
{
	static const char *const own[] = { "part",   "clock",    "json",    "jsonl", "csv",
					   "hist",   "output",   "backend", "cpus",  "threads",
					   "source", "progress", "targets" };

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		if (strcmp(key, own[i]) == 0)
			return true;
	}
	return clocks && strcmp(key, "start_at") == 0; /* each by its own clock */
}

static const char *text_at(const struct merge_part *p, const char *object, const char *key)
{
	const json_t *from = object ? json_object_get(p->root, object) : p->root;
	const char *text = json_string_value(json_object_get(from, key));

	return text ? text : "";
}

/* Says that two files are not of one load. Returns -EINVAL. */
static int parts_differ(const struct merge_part *a, const struct merge_part *b, const char *key,
			const char *in_a, const char *in_b)
{
	log_error("%s and %s are not of one load: %s is '%.80s' and '%.80s'", a->name, b->name, key,
		  in_a, in_b);
	return -EINVAL;
}

static int parts_same_text(const struct merge_part *a, const struct merge_part *b,
			   const char *object, const char *key)
{
	const char *in_a = text_at(a, object, key), *in_b = text_at(b, object, key);

	return strcmp(in_a, in_b) == 0 ? 0 : parts_differ(a, b, key, in_a, in_b);
}

static int parts_same_config(const struct merge_part *a, const struct merge_part *b)
{
	json_t *config = json_object_get(a->root, "config"), *value;
	const bool clocks = a->uncertainty_ns >= 0 && b->uncertainty_ns >= 0;
	const char *key;
	char name[OPT_TEXT_MAX];

	json_object_foreach(config, key, value)
	{
		const char *in_b = text_at(b, "config", key);

		if (is_own_key(key, clocks) || strcmp(json_string_value(value) ?: "", in_b) == 0)
			continue;
		snprintf(name, sizeof(name), "config.%s", key);
		return parts_differ(a, b, name, json_string_value(value) ?: "", in_b);
	}
	return 0;
}

static int parts_same_targets(const struct merge_part *a, const struct merge_part *b)
{
	const struct result *x = &a->result, *y = &b->result;
	const unsigned most = x->target_count > y->target_count ? x->target_count : y->target_count;

	if (a->dead || b->dead)
		return 0;
	for (unsigned i = 0; i < most; i++) {
		const char *in_a = i < x->target_count ? x->targets[i].name : "";
		const char *in_b = i < y->target_count ? y->targets[i].name : "";

		if (strcmp(in_a, in_b) != 0)
			return parts_differ(a, b, "target", in_a, in_b);
	}
	return 0;
}

static int64_t part_end_ns(const struct merge_part *p)
{
	return p->result.start_unix_ns + (p->dead ? p->until_ns : p->result.duration_ns);
}

/* Whether the one began when the other had ended. A dead one may have gone on for longer than its
 * file says. */
static int parts_same_time(const struct merge_part *a, const struct merge_part *b)
{
	const struct merge_part *first = a->result.start_unix_ns <= b->result.start_unix_ns ? a : b;
	const struct merge_part *second = first == a ? b : a;

	if (first->dead || second->result.start_unix_ns <= part_end_ns(first))
		return 0;
	log_error("%s and %s are not of one load: the one began when the other had ended",
		  second->name, first->name);
	return -EINVAL;
}

static int parts_same_count(const struct merge_part *a, const struct merge_part *b)
{
	if (a->part.count == b->part.count)
		return 0;
	if (a->part.count == 0 || b->part.count == 0)
		log_error("%s is a part of a load, %s is a whole one: they are not added up",
			  a->part.count > 0 ? a->name : b->name,
			  a->part.count > 0 ? b->name : a->name);
	else
		log_error("%s is one of %u parts, %s of %u", a->name, a->part.count, b->name,
			  b->part.count);
	return -EINVAL;
}

static int parts_same_load(const struct merge_part *a, const struct merge_part *b)
{
	static const struct {
		const char *object, *key;
	} texts[] = { { "part", "run" },
		      { "context", "version" },
		      { "context", "commit" },
		      { NULL, "phase" } };
	int e = 0;

	for (size_t i = 0; e == 0 && i < ARRAY_LEN(texts); i++)
		e = parts_same_text(a, b, texts[i].object, texts[i].key);
	if (e == 0)
		e = parts_same_config(a, b);
	if (e == 0)
		e = parts_same_targets(a, b);
	return e == 0 ? parts_same_time(a, b) : e;
}

/* In order of their numbers, two that are the same are neighbours. */
static int parts_distinct(const struct merge *m)
{
	for (unsigned i = 1; i < m->count; i++) {
		const struct merge_part *a = &m->parts[i - 1], *b = &m->parts[i];

		if (a->part.number != b->part.number)
			continue;
		log_error("%s and %s are both part %u of %u", a->name, b->name, a->part.number,
			  a->part.count);
		return -EINVAL;
	}
	return 0;
}

int merge_parts_check(struct merge *m)
{
	const struct merge_part *first = &m->parts[0];
	int e = 0;

	if (m->left_out && (m->count == 0 || first->part.count == 0))
		return -EINVAL;
	for (unsigned i = 1; i < m->count && e == 0; i++)
		e = parts_same_count(first, &m->parts[i]);
	if (e < 0 || first->part.count == 0)
		return e;
	e = parts_distinct(m);
	for (unsigned i = 1; i < m->count && e == 0; i++)
		e = parts_same_load(first, &m->parts[i]);
	return e;
}

/* ---- what is there of it ---- */

static const struct merge_part *part_numbered(const struct merge *m, uint32_t number)
{
	for (unsigned i = 0; i < m->count + m->dead_count; i++) {
		if (m->parts[i].part.number == number)
			return &m->parts[i];
	}
	return NULL;
}

/* Adds "3" or "5-7" to the list of what is missing; what does not fit is dots. */
static void say_missing(struct merged_parts *f, uint32_t from, uint32_t to)
{
	const size_t len = strlen(f->missing), room = sizeof(f->missing) - len;
	char text[32];
	int n = snprintf(text, sizeof(text), "%s%u", len > 0 ? ", " : "", from);

	if (to > from)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "-%u", to);
	if ((size_t)n + sizeof(", ...") < room)
		memcpy(f->missing + len, text, (size_t)n + 1);
	else if (len < 4 || strcmp(f->missing + len - 3, "...") != 0)
		snprintf(f->missing + len, room, ", ...");
}

/* {"number": 3, "connections": 250, "file": "x.jsonl", "until_ns": 4000000000, "echoed": 12} */
static json_t *missing_json(const struct merge_part *p, uint32_t number, uint64_t connections)
{
	const struct field fields[] = {
		{ "number", number },
		{ "connections", (int64_t)connections },
		{ "until_ns", p ? p->until_ns : UNKNOWN },
		{ "echoed", p ? (int64_t)p->echoed : UNKNOWN },
	};
	json_t *o = report_json_numbers(fields, ARRAY_LEN(fields));

	(void)report_json_put(o, "file", p ? tojson_text(p->name) : json_null());
	return o;
}

/* Looks for each number of the load. */
static json_t *find_missing(struct merge *m)
{
	struct merged_parts *f = &m->found;
	struct load_config whole = m->parts[0].whole;
	json_t *a = json_array();
	uint32_t from = 0;

	for (uint32_t k = 1; k <= f->count + 1; k++) {
		const struct merge_part *p = k <= f->count ? part_numbered(m, k) : NULL;
		const bool missing = k <= f->count && (!p || p->dead);
		uint64_t connections;

		if (!missing && from > 0)
			say_missing(f, from, k - 1);
		from = !missing ? 0 : from > 0 ? from : k;
		if (!missing)
			continue;
		whole.part.number = k;
		connections = part_share_of(&whole.part, whole.connections);
		f->missing_connections += connections;
		(void)json_array_append_new(a, missing_json(p, k, connections));
	}
	return a;
}

/* How well they kept together; they are in order of time. */
static void find_spread(struct merge *m)
{
	struct merged_parts *f = &m->found;

	f->spread_ns =
		m->parts[m->count - 1].result.start_unix_ns - m->parts[0].result.start_unix_ns;
	for (unsigned i = 0; i < m->count; i++) {
		const struct merge_part *p = &m->parts[i];

		if (p->uncertainty_ns < 0 || f->uncertainty_ns < 0)
			f->uncertainty_ns = -1;
		else if (p->uncertainty_ns > f->uncertainty_ns)
			f->uncertainty_ns = p->uncertainty_ns;
		if (p->stepped_ns > f->stepped_ns) {
			f->stepped_ns = p->stepped_ns;
			f->stepped = p->part.number;
		}
	}
}

/* The sum was asked for what its parts were asked for, all of the load if none is missing. */
static void sum_config(struct merge *m)
{
	const struct load_config *whole = &m->parts[0].whole;
	struct load_config *to = &m->config;

	to->duration = whole->duration;
	to->warmup = whole->warmup;
	to->max_p99 = whole->max_p99;
	to->max_downtime = whole->max_downtime;
	to->connect_rate = whole->connect_rate;
	to->ignore_errors = whole->ignore_errors;
	to->stall = whole->stall;
	to->interval = whole->interval;
	if (m->found.missing_connections == 0)
		to->rate = whole->rate; /* without the rounding of its shares */
	for (unsigned i = 0; i < m->count; i++) {
		to->messages += m->parts[i].config.messages;
		to->max_errors += m->parts[i].config.max_errors;
		to->min_rate += m->parts[i].config.min_rate;
	}
}

int merge_parts_sum(struct merge *m)
{
	struct merged_parts *f = &m->found;
	json_t *missing;

	f->count = m->parts[0].part.count;
	f->present = m->count;
	f->connections = m->parts[0].whole.connections;
	missing = find_missing(m);
	find_spread(m);
	sum_config(m);
	m->sum.parts = f;
	m->sum.processes = m->count;
	const struct field fields[] = {
		{ "count", f->count },
		{ "present", f->present },
		{ "connections", (int64_t)f->connections },
		{ "missing_connections", (int64_t)f->missing_connections },
		{ "start_spread_ns", f->spread_ns },
		{ "clock_uncertainty_ns", report_json_or_unknown(f->uncertainty_ns) },
		{ "clock_stepped_ns", f->stepped_ns },
	};
	m->sum.merged_parts = report_json_numbers(fields, ARRAY_LEN(fields));
	return report_json_put(m->sum.merged_parts, "missing", missing) ? 0 : -ENOMEM;
}

/* ---- the verdict ---- */

/* What only the part itself knows: that its host lacked something, that it was starved. Of errors,
 * limits and shortfalls the sum decides. */
static bool is_own_verdict(int code)
{
	return code != EXIT_OK && code != EXIT_VERDICT && code != EXIT_NO_ANSWER;
}

void merge_parts_judge(struct merge *m)
{
	const struct merged_parts *f = &m->found;
	struct result *r = &m->sum;
	char others[RESULT_REASON_MAX];

	for (unsigned i = 0; i < m->count; i++) {
		if (m->parts[i].result.interrupted && m->parts[i].result.exit_code > 128)
			r->interrupted_by = m->parts[i].result.exit_code - 128;
	}
	verdict(r);
	for (unsigned i = 0; i < m->count; i++) {
		const struct merge_part *p = &m->parts[i];
		const int worse = verdict_of_two(r->exit_code, p->result.exit_code);

		if (!is_own_verdict(p->result.exit_code) || worse == r->exit_code)
			continue;
		r->exit_code = worse;
		snprintf(r->exit_reason, sizeof(r->exit_reason), "part %u: %.200s", p->part.number,
			 p->result.exit_reason);
	}
	if (f->missing_connections == 0 || r->exit_code == EXIT_INTERNAL)
		return;
	snprintf(others, sizeof(others), "%s", r->exit_reason);
	r->exit_code = EXIT_INCONCLUSIVE;
	snprintf(
		r->exit_reason, sizeof(r->exit_reason),
		"%u of %u parts %s missing (%s), with %llu of %llu connections; the others: %.110s",
		f->count - f->present, f->count, f->count - f->present == 1 ? "is" : "are",
		f->missing, (unsigned long long)f->missing_connections,
		(unsigned long long)f->connections, others);
}
