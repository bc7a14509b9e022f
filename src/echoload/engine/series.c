/* SPDX-License-Identifier: MIT
 * series: a row ends at a boundary, when all workers have handed over what they counted up to it.
 * One that is busy elsewhere is waited for during half an interval; what it has comes in the next.
 */
#include "series.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/hist.h"
#include "echoload/load_metrics.h"
#include "echoload/options/opts.h"
#include "echoload/report/outputs.h"
#include "run.h"

enum {
	HIST_DIGITS = 3,
	SLACK_NS = 2 * 1000 * 1000, /* timers of workers fire up to a tick after the boundary */
};

int series_init(struct series *s, struct run *run)
{
	s->run = run;
	s->now = hist_new(HIST_DIGITS);
	s->latency = hist_new(HIST_DIGITS);
	s->outside = hist_new(HIST_DIGITS);
	s->rows = calloc(SERIES_ROWS_MAX, sizeof(*s->rows));
	s->workers = calloc(run->group.count, sizeof(*s->workers));
	return s->now && s->latency && s->outside && s->rows && s->workers ? 0 : -ENOMEM;
}

void series_fini(struct series *s)
{
	hist_free(s->now);
	hist_free(s->latency);
	hist_free(s->outside);
	free(s->rows);
	free(s->workers);
	*s = (struct series){ 0 };
}

void series_start(struct series *s, struct outputs *to)
{
	s->outputs = to;
	s->begin_ns = s->end_ns = s->run->shared.start_ns;
	for (unsigned i = 0; i < s->run->group.count; i++)
		s->workers[i].end_ns = s->begin_ns;
}

/* When to look for what workers hand over: a little after the boundary. If one is late then, again
 * soon for half an interval, and after that, when the row has ended without it, at the next. */
static int64_t series_next_check_ns(const struct series *s, int64_t now_ns)
{
	const int64_t interval_ns = s->run->shared.config->interval;
	const int64_t due_ns = s->begin_ns + interval_ns + SLACK_NS;
	int64_t late_ns = now_ns - due_ns;

	if (late_ns < 0)
		return due_ns;
	late_ns %= interval_ns;
	return late_ns < interval_ns / 2 ? now_ns + SLACK_NS : now_ns - late_ns + interval_ns;
}

int series_wait_ms(const struct series *s)
{
	const int64_t now_ns = clock_now_ns(), wait_ns = series_next_check_ns(s, now_ns) - now_ns;

	return (int)(((wait_ns < SEC(60) ? wait_ns : SEC(60)) + MSEC(1) - 1) / MSEC(1));
}

/* ---- rows ---- */

static void counts_add(struct interval_counts *to, const struct interval_counts *n)
{
	to->sent += n->sent;
	to->echoed += n->echoed;
	to->lost += n->lost;
	to->missed += n->missed;
	to->errors += n->errors;
	to->connects += n->connects;
	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		to->ended[i] += n->ended[i];
}

/* What has been counted since. */
static struct interval_counts counts_since(const struct interval_counts *now,
					   const struct interval_counts *before)
{
	struct interval_counts since = {
		.sent = now->sent - before->sent,
		.echoed = now->echoed - before->echoed,
		.lost = now->lost - before->lost,
		.missed = now->missed - before->missed,
		.errors = now->errors - before->errors,
		.connects = now->connects - before->connects,
	};

	for (unsigned i = 0; i < CAUSE_COUNT; i++)
		since.ended[i] = now->ended[i] - before->ended[i];
	return since;
}

static void series_merge(struct series *s, unsigned i, const struct tally *t,
			 const struct interval_counts *counts)
{
	struct series_worker *from = &s->workers[i];
	const struct interval_counts more = counts_since(counts, &from->counts);

	hist_merge(s->now, t->inside);
	hist_merge(s->now, t->outside);
	hist_merge(s->now, t->other);
	hist_merge(s->latency, t->inside);
	hist_merge(s->latency, t->outside);
	hist_merge(s->outside, t->outside);
	counts_add(&s->total, &more);
	from->counts = *counts;
}

/* What worker @i has handed over, and what it had left when it ended. */
static void series_collect(struct series *s, unsigned i)
{
	struct load *l = &s->run->loads[i];
	struct series_worker *from = &s->workers[i];
	const bool ended = i < s->run->group.running && worker_done(l->worker);
	struct interval_counts last;
	struct tally *t;

	if (from->end_ns == INT64_MAX)
		return;
	t = interval_tally_take(&l->handoff);
	if (t) {
		series_merge(s, i, t, &t->counts);
		from->end_ns = t->end_ns;
		s->end_ns = t->end_ns > s->end_ns ? t->end_ns : s->end_ns;
		interval_tally_return(&l->handoff, t);
	}
	if (!ended)
		return;
	interval_count(l, &last);
	series_merge(s, i, l->tally, &last);
	from->end_ns = INT64_MAX;
}

static bool series_is_whole(const struct series *s)
{
	for (unsigned i = 0; i < s->run->group.running; i++) {
		if (s->workers[i].end_ns < s->end_ns)
			return false;
	}
	return true;
}

static void series_close(struct series *s)
{
	const int64_t start_ns = s->run->shared.start_ns;
	struct interval row = { .begin_ns = s->begin_ns - start_ns,
				.end_ns = s->end_ns - start_ns };

	row.counts = counts_since(&s->total, &s->before);
	row.open = atomic_load_explicit(&s->run->group.conns, memory_order_relaxed);
	result_latency(s->now, &row.latency);
	result_buckets(s->now, row.buckets);
	if (s->count < SERIES_ROWS_MAX)
		s->rows[s->count++] = row;
	else
		s->unlisted++;
	if (s->outputs)
		outputs_interval(s->outputs, &row, s->now);
	if (s->run->metrics)
		load_metrics_interval(s->run->metrics, s);
	s->p99_ns = row.latency.p99;
	s->before = s->total;
	s->begin_ns = s->end_ns;
	hist_clear(s->now);
}

/* ---- outages ---- */

/* Passes on what is new: an outage that has opened, and that it has recovered. */
static void series_faults(struct series *s)
{
	struct outage_watch *watch = &s->run->shared.outages;
	const int64_t start_ns = s->run->shared.start_ns;
	struct outage o;

	while (s->outputs && outage_nth(watch, s->recovered, &o)) {
		outage_shift(&o, start_ns);
		if (s->opened == s->recovered)
			outputs_outage(s->outputs, ++s->opened, &o, false);
		if (o.recovered_ns < 0)
			break;
		outputs_outage(s->outputs, ++s->recovered, &o, true);
	}
}

void series_poll(struct series *s)
{
	int64_t waited_ns;

	series_faults(s);
	for (unsigned i = 0; i < s->run->group.running; i++)
		series_collect(s, i);
	waited_ns = clock_now_ns() - s->end_ns;
	if (s->end_ns > s->begin_ns &&
	    (series_is_whole(s) || waited_ns > s->run->shared.config->interval / 2))
		series_close(s);
}

void series_finish(struct series *s, int64_t duration_ns)
{
	const int64_t end_ns = s->run->shared.start_ns + duration_ns;

	series_poll(s);
	if (memcmp(&s->total, &s->before, sizeof(s->total)) == 0 && s->now->count == 0)
		return;
	s->end_ns = end_ns > s->begin_ns ? end_ns : s->begin_ns + 1;
	series_close(s);
}
