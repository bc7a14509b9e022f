/* SPDX-License-Identifier: MIT
 * run: starts the workers, shows how they get on, and adds up what each has found.
 */
#include "run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/cpu_list.h"
#include "echo/base/cpu_quota.h"
#include "echo/base/hist.h"
#include "echo/base/stop.h"
#include "echo/lab/provenance.h"
#include "echo/net/backend.h"
#include "echoload/options/opts.h"
#include "echoload/progress.h"
#include "echoload/report/outputs.h"
#include "echoload/result/result.h"

enum {
	SPARE_SLOTS = 256, /* connections that are still closing when their seat dials again */
	HIST_DIGITS = 3,
};

/* The part of @total that worker @i of @count gets: the first ones get what is left over. */
static uint64_t run_share(uint64_t total, unsigned i, unsigned count)
{
	return total / count + (i < total % count);
}

unsigned run_threads(const struct load_config *c)
{
	unsigned n = c->threads ? c->threads : cpu_list_count(&c->cpus);

	return n < c->connections ? n : c->connections;
}

static void run_configure(struct run *r, const struct load_config *c,
			  const struct backend_choice *b)
{
	struct net_config *n = &r->net;

	n->backend = b->ops;
	n->backend_config = b->config;
	n->sock = c->sock;
	n->max_conns = UINT32_MAX;
	n->slots = c->connections + c->idle + SPARE_SLOTS;
	n->max_unsent = n->max_unsent_total = 1; /* the client lends nothing */
	n->busy_poll_ns = c->busy_poll;
	n->own_descriptors = c->own_descriptors;
	n->drain_ns = c->grace;
	r->role = load_role;
	r->role.conn_size = load_conn_size(c);
	r->shared.batch_mask = load_batches(c) - 1;
}

static int run_init_loads(struct run *r, const struct load_config *c, unsigned threads)
{
	const struct part *part = &r->shared.whole->part;
	int e = 0;

	r->loads = calloc(threads, sizeof(*r->loads));
	if (!r->loads)
		return -ENOMEM;
	for (unsigned i = 0; i < threads && e == 0; i++) {
		struct load *l = &r->loads[i];
		struct worker *w = &r->group.workers[i];

		const uint64_t seats = (uint64_t)c->connections + c->idle;

		l->worker = w;
		l->watched = &r->shared.outages.workers[i];
		l->next_number = part->number - 1 + (uint64_t)part->count * i;
		l->number_step = (uint64_t)part->count * threads;
		l->rng = c->seed + l->next_number;
		e = load_init(l, &r->shared, (uint32_t)run_share(seats, i, threads));
		if (c->messages)
			l->quota = run_share(c->messages, i, threads);
		w->role = &r->role;
		w->role_state = l;
	}
	return e;
}

static int run_init_hists(struct run *r)
{
	struct hist **hists[] = { &r->uncorrected, &r->lateness, &r->connect };

	for (size_t i = 0; i < ARRAY_LEN(hists); i++) {
		*hists[i] = hist_new(HIST_DIGITS);
		if (!*hists[i])
			return -ENOMEM;
	}
	for (unsigned t = 0; t < r->shared.target_count && r->shared.target_count > 1; t++) {
		r->of_targets[t] = hist_new(TARGET_DIGITS);
		if (!r->of_targets[t])
			return -ENOMEM;
	}
	return 0;
}

int run_init(struct run *r, const struct load_config *c, const struct backend_choice *b)
{
	unsigned threads = run_threads(c);
	sigset_t mask;
	int e;

	run_configure(r, c, b);
	r->shared.config = c;
	if (!r->shared.whole)
		r->shared.whole = c;
	stop_signals(&mask);
	e = payload_init(&r->shared.payload, c->seed);
	if (e == 0)
		e = outage_init(&r->shared.outages, c->connections, threads, c->stall);
	if (e == 0)
		e = worker_group_init(&r->group, threads, &r->net, &c->cpus);
	if (e == 0)
		e = gate_init(&r->shared.gate, (int)c->gate, threads);
	if (e == 0)
		e = run_init_loads(r, c, threads);
	if (e == 0)
		e = series_init(&r->series, r);
	if (e == 0)
		e = worker_group_signals(&r->group, &mask);
	return e == 0 ? run_init_hists(r) : e;
}

void run_fini(struct run *r)
{
	struct hist **hists[] = { &r->uncorrected, &r->lateness, &r->connect };

	for (unsigned i = 0; r->loads && i < r->group.count; i++)
		load_fini(&r->loads[i]);
	free(r->loads);
	series_fini(&r->series);
	worker_group_fini(&r->group);
	outage_fini(&r->shared.outages);
	gate_fini(&r->shared.gate);
	payload_fini(&r->shared.payload);
	for (size_t i = 0; i < ARRAY_LEN(hists); i++)
		hist_free(*hists[i]);
	for (unsigned t = 0; t < r->shared.target_count; t++)
		hist_free(r->of_targets[t]);
}

static int run_wait_ms(const struct run *r, const struct progress *progress)
{
	int series = series_wait_ms(&r->series), shown = progress_wait_ms(progress);
	int wait = shown >= 0 && shown < series ? shown : series;

	return wait < PAUSES_TICK_MS ? wait : PAUSES_TICK_MS;
}

/* Waits for something to do, and notices when this lasts longer than it may. */
static int run_wait_once(struct run *r, const struct progress *progress)
{
	const int wait_ms = run_wait_ms(r, progress);
	const int64_t due_ns = clock_now_ns() + MSEC(wait_ms);
	int signal = worker_group_wait(&r->group, wait_ms);
	const int64_t now_ns = clock_now_ns();

	/* The clock is read first: what delays us from here on is no pause. Opening the file of the
	 * wait blocks while the sockets of another thread make the table of descriptors larger. */
	pauses_tick(&r->pauses, due_ns, now_ns, clock_thread_wait_ns());
	clock_steps_now(&r->clock);
	return signal;
}

/* Waits for the end of all workers; signals end them. Returns 0, or -EPROTO: what came through the
 * gate made no sense. */
static int run_wait(struct run *r, struct result *result)
{
	struct gate *gate = &r->shared.gate;
	struct progress progress;
	int e = 0;

	progress_begin(&progress, r);
	pauses_start(&r->pauses, clock_thread_wait_ns());
	if (gate->used)
		worker_group_watch(&r->group, gate->fds, ARRAY_LEN(gate->fds));
	while (r->group.done < r->group.running) {
		int signal = run_wait_once(r, &progress);
		int said = gate_poll(gate, &r->group, r->loads);

		if (signal) {
			worker_group_stop(&r->group,
					  result->interrupted ? WORKER_QUIT : WORKER_CLOSE);
			result->interrupted = true;
			result->interrupted_by = signal;
		}
		if (said != 0) {
			worker_group_stop(&r->group, WORKER_DRAIN);
			worker_group_watch(&r->group, NULL, 0);
			e = said < 0 ? said : 0;
		}
		series_poll(&r->series);
		progress_show(&progress);
	}
	progress_end(&progress);
	return e;
}

/* Which of its addresses it was: the one that has worked, or the first. */
static void run_address(const struct target *t, struct target_result *result)
{
	unsigned chosen = atomic_load(&t->chosen);

	addr_format(&t->addrs.at[chosen > 0 ? chosen - 1 : 0], result->address);
}

/* Adds up what the workers found. */
static void run_collect(struct run *r, struct result *result)
{
	int64_t last_ns = r->shared.start_ns, wait_ns;

	for (unsigned i = 0; i < r->group.count; i++) {
		const struct load *l = &r->loads[i];

		for (unsigned t = 0; t < result->target_count; t++) {
			books_merge(&result->targets[t].books, &l->books[t]);
			if (l->latency[t])
				hist_merge(r->of_targets[t], l->latency[t]);
		}
		hist_merge(r->uncorrected, l->uncorrected);
		hist_merge(r->lateness, l->lateness);
		hist_merge(r->connect, l->connect);
		result->books.missed += l->missed;
		result->late_sends += l->late_sends;
		result->cpu_ns += atomic_load(&r->group.workers[i].cpu_ns);
		result->busy_poll_ns += r->group.workers[i].busy_poll.looked_ns;
		wait_ns = atomic_load(&r->group.workers[i].wait_ns);
		result->wait_ns =
			wait_ns < 0 || result->wait_ns < 0 ? -1 : result->wait_ns + wait_ns;
		if (l->last_event_ns > last_ns)
			last_ns = l->last_event_ns;
	}
	for (unsigned t = 0; t < result->target_count; t++) {
		struct books *b = &result->targets[t].books;

		b->planned = b->all.sent; /* a missed message had no target yet */
		books_sort(b);
		books_merge(&result->books, b);
		run_address(&r->shared.targets[t], &result->targets[t]);
		result->targets[t].latency = r->of_targets[t];
	}
	result->books.planned += result->books.missed;
	books_sort(&result->books);
	result->latency = r->series.latency;
	result->outside = r->series.outside;
	result->uncorrected = r->shared.config->rate > 0 ? r->uncorrected : r->series.latency;
	result->lateness = r->lateness;
	result->connect = r->connect;
	result->duration_ns = last_ns - r->shared.start_ns;
}

static void run_collect_outages(struct run *r, struct result *result)
{
	struct outage_watch *o = &r->shared.outages;

	outage_finish(o);
	result->pauses = r->pauses;
	pauses_shift(&result->pauses, r->shared.start_ns);
	for (unsigned i = 0; i < o->count; i++) {
		outage_shift(&o->list[i], r->shared.start_ns);
		o->list[i].begin_ns =
			pauses_after(&result->pauses, o->list[i].begin_ns, o->list[i].noticed_ns);
	}
	result->outages = o->list;
	result->outage_count = o->count;
	result->outages_unlisted = o->uncounted;
	for (unsigned i = 0; i < o->service.count; i++)
		service_shift(&o->service.rows[i], r->shared.start_ns);
	result->service = o->service.rows;
	result->service_count = o->service.count;
}

/* What this machine is doing beside us, before and after a run. */
struct surroundings {
	int64_t steal_ns;
	struct cpu_quota quota;
	struct tcp_counters tcp;
};

static void run_read_surroundings(struct surroundings *s)
{
	s->steal_ns = provenance_steal_ns();
	cpu_quota_read(&s->quota);
	tcp_counters_read(&s->tcp);
}

static void run_collect_surroundings(const struct surroundings *before, struct result *result)
{
	struct surroundings now;

	run_read_surroundings(&now);
	result->steal_ns = before->steal_ns < 0 ? -1 : now.steal_ns - before->steal_ns;
	result->quota = now.quota.cpus;
	result->throttled = now.quota.throttled - before->quota.throttled;
	result->throttled_ns = now.quota.throttled_ns - before->quota.throttled_ns;
	result->tcp = now.tcp;
	tcp_counters_since(&result->tcp, &before->tcp);
}

/* The measured part: it ends when sending did. */
static void run_measured(const struct run *r, struct result *result)
{
	const struct load_run *s = &r->shared;
	int64_t end_ns = s->end_ns - s->start_ns;

	result->measure_begin_ns = s->measure_ns - s->start_ns;
	result->measure_end_ns = end_ns < result->duration_ns ? end_ns : result->duration_ns;
	if (result->measure_end_ns < result->measure_begin_ns)
		result->measure_end_ns = result->measure_begin_ns;
}

static void run_collect_series(struct run *r, struct result *result)
{
	series_finish(&r->series, result->duration_ns);
	result->intervals = r->series.rows;
	result->interval_count = r->series.count;
	result->intervals_unlisted = r->series.unlisted;
}

/* Waits for --start-at. Returns false when a signal came before. */
static bool run_wait_start(struct run *r, struct result *result)
{
	const int64_t at_ns = r->shared.config->start_at;
	int64_t left_ns;
	int signal;

	while ((left_ns = at_ns - clock_unix_ns()) > MSEC(2)) {
		/* in steps: the clock may be set meanwhile */
		left_ns = left_ns < SEC(1) ? left_ns : SEC(1);
		signal = worker_group_wait(&r->group, (int)(left_ns / MSEC(1)) - 1);
		if (signal) {
			result->interrupted = true;
			result->interrupted_by = signal;
			return false;
		}
	}
	clock_sleep_until(clock_now_ns() + left_ns);
	return true;
}

/* What is said of the run before it begins. */
static void run_describe(const struct run *r, struct result *result)
{
	const unsigned count = result->target_count;

	result->threads = r->group.count;
	for (unsigned i = 0; i < count; i++)
		result->targets[i].requested = part_requested(r->shared.whole, i, count);
	result->start_unix_ns = clock_unix_ns();
}

/* Its times count from here, by both clocks. */
static void run_begin(struct run *r, struct result *result)
{
	struct load_run *s = &r->shared;

	s->start_ns = clock_now_ns();
	result->start_unix_ns = clock_unix_ns();
	result->start_skew_ns = result->start_unix_ns - s->config->start_at;
	clock_steps_now(&r->clock);
	s->measure_ns = s->start_ns + s->config->warmup;
	s->end_ns = s->config->messages || s->gate.used ? INT64_MAX
							: s->measure_ns + s->config->duration;
}

int run_load(struct run *r, struct result *result, struct outputs *to)
{
	struct load_run *s = &r->shared;
	struct surroundings before;
	int e = 0, said, joined;
	bool begun = run_wait_start(r, result);

	run_read_surroundings(&before);
	run_describe(r, result);
	if (to)
		outputs_start(to, result);
	run_begin(r, result);
	outage_start(&s->outages, s->start_ns);
	series_start(&r->series, to);
	if (begun)
		e = worker_group_start(&r->group);
	if (e < 0)
		worker_group_stop(&r->group, WORKER_QUIT);
	said = run_wait(r, result);
	joined = worker_group_join(&r->group);
	if (e == 0)
		e = joined < 0 ? joined : said;
	run_collect(r, result);
	run_collect_series(r, result);
	run_collect_outages(r, result);
	run_measured(r, result);
	run_collect_surroundings(&before, result);
	result->clock_stepped_ns = r->clock.total_ns;
	bottleneck_find(result);
	return e;
}
