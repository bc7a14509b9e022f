/* SPDX-License-Identifier: MIT
 * merge_intervals: intervals of parts, added up in the time of the whole load. A row of a part
 * belongs to the interval in which it ended. Counts, extremes and means of latency are exact; its
 * percentiles are the upper bounds of the coarse buckets that intervals have.
 *
 * When the first part is read nobody knows yet which began first: rows are counted from the start
 * of the one that was read first, and there is some room before that.
 */
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echoload/engine/series.h"
#include "merge_private.h"

enum { BEFORE = 64, SLOTS = SERIES_ROWS_MAX + BEFORE };

struct slot {
	struct interval sum;
	unsigned __int128 latency_sum;
	bool used;
};

struct merge_intervals {
	struct slot *slots;    /* SLOTS of them */
	struct interval *rows; /* of the sum */
	int64_t length_ns;     /* of an interval; 0: nothing was added yet */
	int64_t start_unix_ns; /* of the part that was read first */
	uint64_t unlisted;
};

struct merge_intervals *merge_intervals_new(void)
{
	struct merge_intervals *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->slots = calloc(SLOTS, sizeof(*v->slots));
	v->rows = calloc(SLOTS, sizeof(*v->rows));
	if (v->slots && v->rows)
		return v;
	merge_intervals_free(v);
	return NULL;
}

void merge_intervals_free(struct merge_intervals *v)
{
	if (!v)
		return;
	free(v->slots);
	free(v->rows);
	free(v);
}

/* ---- a row of a part ---- */

static void read_ended(struct merge_part *p, const json_t *ended, uint64_t counts[CAUSE_COUNT])
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)ended, key, value)
	{
		const enum cause cause = cause_find(key);

		if (cause == CAUSE_NONE || cause == CAUSE_COUNT)
			merge_value_fail(p, "'intervals': cause '%.40s' is unknown", key);
		else
			counts[cause] = merge_value_count(p, ended, key);
	}
}

static void read_buckets(struct merge_part *p, const json_t *rows, struct interval *to)
{
	uint64_t sum = 0;
	const json_t *row;
	unsigned at = 0;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const json_int_t from = json_integer_value(json_array_get(row, 0)),
				 count = json_integer_value(json_array_get(row, 1));

		while (at < BUCKETS && result_bucket_ns(at) < from)
			at++;
		if (at == BUCKETS || result_bucket_ns(at) != from || count < 0 ||
		    count > merge_number_max / BUCKETS) {
			merge_value_fail(p, "'latency_buckets' has one that is none");
			return;
		}
		to->buckets[at] = (uint64_t)count;
		sum += (uint64_t)count;
	}
	if (sum != to->latency.count)
		merge_value_fail(p, "'latency_buckets' do not add up to 'latency_ns.count'");
}

static void read_interval(struct merge_part *p, const json_t *row, struct interval *to)
{
	const json_t *latency = merge_value_object(p, row, "latency_ns");

	memset(to, 0, sizeof(*to));
	to->begin_ns = merge_value_moment(p, row, "begin_ns");
	to->end_ns = merge_value_moment(p, row, "end_ns");
	to->counts.sent = merge_value_count(p, row, "sent");
	to->counts.echoed = merge_value_count(p, row, "echoed");
	to->counts.lost = merge_value_count(p, row, "lost");
	to->counts.missed = merge_value_count(p, row, "missed");
	to->counts.errors = merge_value_count(p, row, "errors");
	to->counts.connects = merge_value_count(p, row, "connects");
	to->open = (uint32_t)merge_value_count(p, row, "open");
	to->latency.count = merge_value_count(p, latency, "count");
	to->latency.min = merge_value_moment(p, latency, "min");
	to->latency.mean = merge_value_moment(p, latency, "mean");
	to->latency.max = merge_value_moment(p, latency, "max");
	read_ended(p, json_object_get(row, "ended"), to->counts.ended);
	read_buckets(p, json_object_get(row, "latency_buckets"), to);
	if (to->end_ns < to->begin_ns)
		merge_value_fail(p, "an interval ends before it begins");
}

/* ---- in the time of the load ---- */

/* The slot of a moment of the part, if there is one. */
static struct slot *slot_at(struct merge_intervals *v, const struct merge_part *p, int64_t at_ns)
{
	const int64_t since_ns = p->result.start_unix_ns - v->start_unix_ns + at_ns;
	/* positive: a division rounds towards 0 */
	const int64_t from_first_ns = since_ns + BEFORE * v->length_ns + v->length_ns / 2;
	const int64_t nth = from_first_ns / v->length_ns;

	return from_first_ns >= 0 && nth < SLOTS ? &v->slots[nth] : NULL;
}

static void slot_add(struct slot *s, const struct interval *row)
{
	struct interval *to = &s->sum;
	struct latency *l = &to->latency;

	if (row->latency.count > 0) {
		l->min = l->count == 0 || row->latency.min < l->min ? row->latency.min : l->min;
		l->max = row->latency.max > l->max ? row->latency.max : l->max;
		s->latency_sum +=
			(unsigned __int128)(uint64_t)row->latency.mean * row->latency.count;
	}
	l->count += row->latency.count;
	to->counts.sent += row->counts.sent;
	to->counts.echoed += row->counts.echoed;
	to->counts.lost += row->counts.lost;
	to->counts.missed += row->counts.missed;
	to->counts.errors += row->counts.errors;
	to->counts.connects += row->counts.connects;
	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		to->counts.ended[i] += row->counts.ended[i];
	for (unsigned i = 0; i < BUCKETS; i++)
		to->buckets[i] += row->buckets[i];
	s->used = true;
}

static void add_row(struct merge_intervals *v, const struct merge_part *p,
		    const struct interval *row)
{
	const int64_t end_ns = p->result.start_unix_ns - v->start_unix_ns + row->end_ns;
	struct slot *s = slot_at(v, p, row->end_ns), *earlier;

	if (!s) {
		v->unlisted++;
		return;
	}
	if (!s->used || end_ns > s->sum.end_ns)
		s->sum.end_ns = end_ns;
	slot_add(s, row);
	/* of one that is longer than an interval the connections were open in all of it */
	earlier = slot_at(v, p, row->begin_ns);
	for (earlier = earlier && earlier < s ? earlier + 1 : s; earlier <= s; earlier++)
		earlier->sum.open += row->open;
}

void merge_intervals_add(struct merge_intervals *v, struct merge_part *p)
{
	const json_t *rows = json_object_get(p->root, "intervals");
	const int64_t unlisted = merge_value_number_or_none(p, p->root, "intervals_unlisted");
	struct interval row;

	if (v->length_ns == 0) {
		v->length_ns = p->whole.interval;
		v->start_unix_ns = p->result.start_unix_ns;
	}
	v->unlisted += unlisted > 0 ? (uint64_t)unlisted : 0;
	for (size_t i = 0; !p->error[0] && i < json_array_size(rows); i++) {
		read_interval(p, json_array_get(rows, i), &row);
		if (!p->error[0])
			add_row(v, p, &row);
	}
}

/* ---- the sum ---- */

/* The upper bound of the bucket that @percent of all reach. */
static int64_t coarse_percentile(const struct interval *i, double percent)
{
	const double want = percent / 100 * (double)i->latency.count;
	uint64_t seen = 0;

	for (unsigned b = 0; b + 1 < BUCKETS; b++) {
		seen += i->buckets[b];
		if (seen > 0 && (double)seen >= want)
			return result_bucket_ns(b + 1) - 1 < i->latency.max
				       ? result_bucket_ns(b + 1) - 1
				       : i->latency.max;
	}
	return i->latency.max;
}

static void finish_latency(const struct slot *s, struct interval *row)
{
	struct latency *l = &row->latency;

	if (l->count == 0)
		return;
	l->mean = (int64_t)(s->latency_sum / l->count);
	l->p50 = coarse_percentile(row, 50);
	l->p90 = coarse_percentile(row, 90);
	l->p99 = coarse_percentile(row, 99);
	l->p99_9 = coarse_percentile(row, 99.9);
	l->p99_99 = coarse_percentile(row, 99.99);
}

void merge_intervals_sum(struct merge_intervals *v, struct result *sum)
{
	const int64_t later_ns = v->start_unix_ns - sum->start_unix_ns;
	int64_t begin_ns = 0;
	unsigned count = 0;

	for (unsigned i = 0; i < SLOTS; i++) {
		const struct slot *s = &v->slots[i];
		struct interval *row = &v->rows[count];

		if (!s->used)
			continue;
		*row = s->sum;
		row->begin_ns = begin_ns;
		row->end_ns = s->sum.end_ns + later_ns;
		if (row->end_ns <= begin_ns)
			row->end_ns = begin_ns + 1;
		finish_latency(s, row);
		begin_ns = row->end_ns;
		count++;
	}
	sum->intervals = v->rows;
	sum->interval_count = count;
	sum->intervals_unlisted = v->unlisted;
}
