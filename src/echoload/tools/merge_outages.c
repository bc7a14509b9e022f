/* SPDX-License-Identifier: MIT
 * merge_outages: the outages of a whole load, by the rules of one process (outage.h): half of all
 * requested connections ended in errors within --stall, or nobody got an echo for so long. What a
 * part alone took for an outage may be none of the whole, and the other way round.
 *
 * Each part has told when its connections were lost, and when they echoed again, in rows; and its
 * own outages. All of their times are those of the sum.
 */
#include <errno.h>
#include <stdlib.h>

#include "echo/base/base.h"
#include "merge_private.h"

/* A row of a part, in the order in which all of them were over. */
struct moment {
	const struct merge_part *part;
	const struct service_row *row;
};

static int by_time(const void *a, const void *b)
{
	const struct service_row *x = ((const struct moment *)a)->row,
				 *y = ((const struct moment *)b)->row;

	return (x->last_ns > y->last_ns) - (x->last_ns < y->last_ns);
}

static struct moment *all_moments(const struct merge *m, size_t *count)
{
	struct moment *list;
	size_t n = 0;

	for (unsigned i = 0; i < m->count; i++)
		n += m->parts[i].service_count;
	list = calloc(n + 1, sizeof(*list));
	*count = 0;
	for (unsigned i = 0; list && i < m->count; i++) {
		const struct merge_part *p = &m->parts[i];

		for (unsigned k = 0; k < p->service_count; k++)
			list[(*count)++] = (struct moment){ p, &p->service[k] };
	}
	if (list)
		qsort(list, *count, sizeof(*list), by_time);
	return list;
}

/* ---- one part at a time ---- */

/* Its own outage that is open at @at_ns; NULL: none is. */
static const struct outage *open_outage(const struct merge_part *p, int64_t at_ns)
{
	for (unsigned i = 0; i < p->result.outage_count; i++) {
		const struct outage *o = &p->outages[i];

		if (o->noticed_ns <= at_ns && (o->recovered_ns < 0 || o->recovered_ns > at_ns))
			return o;
	}
	return NULL;
}

/* The last row that was over by @at_ns, as an index from 1; 0: none was. */
static unsigned rows_until(const struct merge_part *p, int64_t at_ns)
{
	unsigned low = 0, high = p->service_count;

	while (low < high) {
		const unsigned middle = low + (high - low) / 2;

		if (p->service[middle].last_ns <= at_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t down_at(const struct merge_part *p, int64_t at_ns)
{
	const unsigned n = rows_until(p, at_ns);

	return n > 0 ? p->service[n - 1].down : 0;
}

/* Whether it can get no echo: it has none for --stall, has no connection left, or has ended. */
static bool is_mute(const struct merge_part *p, int64_t at_ns)
{
	const struct outage *o = open_outage(p, at_ns);

	if (o && o->by_silence && (o->first_success_ns < 0 || o->first_success_ns > at_ns))
		return true;
	return at_ns > p->result.duration_ns || down_at(p, at_ns) >= p->config.connections;
}

/* Whether it has not echoed since @at_ns, as its next error tells: that may come a little later. */
static bool next_error_tells(const struct merge_part *p, unsigned i, int64_t at_ns)
{
	return i < p->service_count && p->service[i].last_echo_ns >= 0 &&
	       p->service[i].last_echo_ns < at_ns;
}

/* Its own outage that has begun by @at_ns and is not over; NULL: there is none. */
static const struct outage *outage_around(const struct merge_part *p, int64_t at_ns)
{
	for (unsigned i = 0; i < p->result.outage_count; i++) {
		const struct outage *o = &p->outages[i];

		if (o->begin_ns <= at_ns && (o->recovered_ns < 0 || o->recovered_ns > at_ns))
			return o;
	}
	return NULL;
}

/* When, from @at_ns on, all of its connections have echoed again; -1: never. */
static int64_t back_in_service(const struct merge_part *p, int64_t at_ns)
{
	for (;;) {
		const struct outage *o = outage_around(p, at_ns);
		unsigned i = rows_until(p, at_ns);

		if (o && o->recovered_ns < 0)
			return -1;
		if (o) {
			at_ns = o->recovered_ns;
			continue;
		}
		if (next_error_tells(p, i, at_ns)) {
			at_ns = p->service[i].last_ns;
			continue;
		}
		if (i == 0 || p->service[i - 1].down == 0)
			return at_ns;
		while (i < p->service_count && p->service[i].down > 0)
			i++;
		if (i == p->service_count)
			return -1;
		at_ns = p->service[i].last_ns;
	}
}

/* Its first echo of what was sent from @at_ns on; -1: none came. One that has no outage of its own
 * around then echoes all the time. */
static int64_t first_success(const struct merge_part *p, int64_t at_ns, int64_t stall_ns)
{
	for (unsigned i = 0; i < p->result.outage_count; i++) {
		const struct outage *o = &p->outages[i];

		if (o->begin_ns > at_ns + stall_ns ||
		    (o->recovered_ns >= 0 && o->recovered_ns <= at_ns))
			continue;
		if (o->first_success_ns < 0)
			return -1;
		return o->first_success_ns > at_ns ? o->first_success_ns : at_ns;
	}
	return is_mute(p, at_ns) ? -1 : at_ns;
}

/* ---- all of them ---- */

/* When errors of half of all connections, from row @from on, have come within --stall: *@first and
 * *@last are the rows with the oldest and the newest of them. */
static bool find_errors(const struct merge *m, const struct moment *list, size_t count, size_t from,
			size_t *first, size_t *last)
{
	const uint64_t half = ((uint64_t)m->config.connections + 1) / 2;
	uint64_t sum = 0;

	*first = from;
	for (*last = from; *last < count; ++*last) {
		const int64_t now_ns = list[*last].row->last_ns;

		sum += list[*last].row->errors;
		while (*first < *last && now_ns - list[*first].row->first_ns > m->config.stall)
			sum -= list[(*first)++].row->errors;
		/* of more than half the newest count, as in a ring of so many */
		while (*first < *last && sum - list[*first].row->errors >= half)
			sum -= list[(*first)++].row->errors;
		if (sum >= half)
			return true;
	}
	return false;
}

/* Its last echo before an error at @error_ns, as its own next error tells it. A part that lost
 * nothing echoed on. */
static int64_t last_echo_of(const struct merge_part *p, int64_t error_ns)
{
	unsigned i = rows_until(p, error_ns - 1);

	if (is_mute(p, error_ns - 1))
		return 0;
	while (i < p->service_count && p->service[i].last_echo_ns < 0)
		i++;
	return i < p->service_count && p->service[i].last_echo_ns < error_ns
		       ? p->service[i].last_echo_ns
		       : error_ns;
}

/* The last echo of all. */
static int64_t last_echo(const struct merge *m, int64_t error_ns)
{
	int64_t latest_ns = 0;

	for (unsigned i = 0; i < m->count; i++) {
		const int64_t echo_ns = last_echo_of(&m->parts[i], error_ns);

		latest_ns = echo_ns > latest_ns ? echo_ns : latest_ns;
	}
	return latest_ns;
}

static bool all_are_mute(const struct merge *m, int64_t at_ns)
{
	for (unsigned i = 0; i < m->count; i++) {
		if (!is_mute(&m->parts[i], at_ns))
			return false;
	}
	return true;
}

/* The first time from @from_ns on at which all parts are mute, one of them since it is owed echoes;
 * false: there is none. *@begin_ns is the last sign of any. */
static bool find_silence(const struct merge *m, int64_t from_ns, int64_t *begin_ns,
			 int64_t *noticed_ns)
{
	*begin_ns = 0;
	*noticed_ns = INT64_MAX;
	for (unsigned i = 0; i < m->count; i++) {
		for (unsigned k = 0; k < m->parts[i].result.outage_count; k++) {
			const struct outage *o = &m->parts[i].outages[k];

			if (o->by_silence && o->noticed_ns >= from_ns &&
			    o->noticed_ns < *noticed_ns && all_are_mute(m, o->noticed_ns))
				*noticed_ns = o->noticed_ns;
		}
	}
	for (unsigned i = 0; i < m->count && *noticed_ns < INT64_MAX; i++) {
		const struct outage *o = open_outage(&m->parts[i], *noticed_ns);

		if (o && o->begin_ns > *begin_ns)
			*begin_ns = o->begin_ns;
	}
	return *noticed_ns < INT64_MAX;
}

/* What became of an outage that has begun. */
static void follow(const struct merge *m, const struct moment *list, size_t count, struct outage *o)
{
	o->first_success_ns = -1;
	o->recovered_ns = o->noticed_ns;
	for (unsigned i = 0; i < m->count; i++) {
		const struct merge_part *p = &m->parts[i];
		const int64_t success_ns = first_success(p, o->noticed_ns, m->config.stall);
		const int64_t back_ns = back_in_service(p, o->noticed_ns);

		if (success_ns >= 0 &&
		    (o->first_success_ns < 0 || success_ns < o->first_success_ns))
			o->first_success_ns = success_ns;
		if (back_ns < 0 || o->recovered_ns < 0)
			o->recovered_ns = -1;
		else if (back_ns > o->recovered_ns)
			o->recovered_ns = back_ns;
	}
	if (o->first_success_ns < 0)
		o->recovered_ns = -1;
	else if (o->recovered_ns >= 0 && o->recovered_ns < o->first_success_ns)
		o->recovered_ns = o->first_success_ns;
	for (size_t i = 0; i < count; i++) {
		const struct service_row *row = list[i].row;

		if (row->last_ns >= o->begin_ns &&
		    (o->recovered_ns < 0 || row->first_ns <= o->recovered_ns))
			o->messages_lost += row->messages_lost;
	}
}

/* The first outage from row @*from and @from_ns on. */
static bool find_next(const struct merge *m, const struct moment *list, size_t count, size_t from,
		      int64_t from_ns, struct outage *o)
{
	size_t first, last;
	const bool errors = find_errors(m, list, count, from, &first, &last);
	int64_t begin_ns, noticed_ns;
	const bool silence = find_silence(m, from_ns, &begin_ns, &noticed_ns);

	if (!errors && !silence)
		return false;
	*o = (struct outage){ .by_silence = !errors ||
					    (silence && noticed_ns < list[last].row->last_ns) };
	if (o->by_silence) {
		o->begin_ns = begin_ns;
		o->noticed_ns = noticed_ns;
	} else {
		o->begin_ns = last_echo(m, list[first].row->first_ns);
		o->noticed_ns = list[last].row->last_ns;
	}
	follow(m, list, count, o);
	return true;
}

int merge_outages_find(const struct merge *m, struct outage *to)
{
	size_t count, from = 0;
	struct moment *list = all_moments(m, &count);
	int found = 0;
	int64_t from_ns = 0;

	if (!list)
		return -ENOMEM;
	while (found < OUTAGES_MAX && find_next(m, list, count, from, from_ns, &to[found])) {
		const int64_t over_ns = to[found++].recovered_ns;

		if (over_ns < 0)
			break;
		from_ns = over_ns + 1;
		while (from < count && list[from].row->first_ns <= over_ns)
			from++; /* errors of this outage do not count for another */
	}
	free(list);
	return found;
}
