/* SPDX-License-Identifier: MIT
 * interval: the worker's side of intervals: a timer at every boundary, which all workers count from
 * the start of the run.
 */
#include "interval.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "load_conn.h"

enum { HIST_DIGITS = 3 };

int interval_tally_init(struct handoff *b)
{
	memset(b, 0, sizeof(*b));
	for (unsigned i = 0; i < ARRAY_LEN(b->tallies); i++) {
		struct tally *t = &b->tallies[i];

		t->inside = hist_new(HIST_DIGITS);
		t->outside = hist_new(HIST_DIGITS);
		t->other = hist_new(HIST_DIGITS);
		if (!t->inside || !t->outside || !t->other)
			return -ENOMEM;
	}
	b->spare = &b->tallies[1];
	return -pthread_mutex_init(&b->lock, NULL);
}

void interval_tally_fini(struct handoff *b)
{
	for (unsigned i = 0; i < ARRAY_LEN(b->tallies); i++) {
		hist_free(b->tallies[i].inside);
		hist_free(b->tallies[i].outside);
		hist_free(b->tallies[i].other);
	}
	memset(b->tallies, 0, sizeof(b->tallies));
}

struct tally *interval_tally_take(struct handoff *b)
{
	struct tally *t;

	pthread_mutex_lock(&b->lock);
	t = b->full;
	b->full = NULL;
	pthread_mutex_unlock(&b->lock);
	return t;
}

void interval_tally_return(struct handoff *b, struct tally *t)
{
	hist_clear(t->inside);
	hist_clear(t->outside);
	hist_clear(t->other);
	pthread_mutex_lock(&b->lock);
	assert(!b->spare);
	b->spare = t;
	pthread_mutex_unlock(&b->lock);
}

/* Ends by cause. Each kind of end has a row of its own in the books, so that nothing has to be
 * counted a second time while messages flow. */
static void count_ends(const struct books *b, struct interval_counts *n)
{
	for (unsigned i = 0; i < b->outcome_count; i++)
		n->ended[b->outcomes[i].cause] += b->outcomes[i].count;
}

void interval_count(const struct load *l, struct interval_counts *n)
{
	*n = (struct interval_counts){ .missed = l->missed,
				       .errors = stats_get(&l->progress_errors) };
	for (unsigned i = 0; i < l->run->target_count; i++) {
		const struct books *b = &l->books[i];

		n->sent += b->all.sent;
		n->echoed += b->all.echoed;
		n->lost += b->all.lost + b->all.corrupt;
		n->connects += b->established;
		count_ends(b, n);
	}
}

/* Hands over what was counted up to the boundary @end_ns, unless main still has the other one. */
static void interval_give(struct load *l, int64_t end_ns)
{
	struct handoff *b = &l->handoff;

	pthread_mutex_lock(&b->lock);
	if (b->spare) {
		assert(!b->full);
		interval_count(l, &l->tally->counts);
		l->tally->end_ns = end_ns;
		b->full = l->tally;
		l->tally = b->spare;
		b->spare = NULL;
	}
	pthread_mutex_unlock(&b->lock);
}

static void interval_fire(struct timer *t, int64_t now_ns)
{
	struct load *l = container_of(t, struct load, interval);
	const struct load_run *run = l->run;
	int64_t passed = (now_ns - run->start_ns) / run->config->interval;
	int64_t end_ns = run->start_ns + passed * run->config->interval;

	interval_give(l, end_ns);
	timer_set(&l->worker->timers, t, end_ns + run->config->interval);
}

void interval_start(struct load *l)
{
	l->interval.fire = interval_fire;
	timer_set(&l->worker->timers, &l->interval, l->run->start_ns + l->run->config->interval);
}
