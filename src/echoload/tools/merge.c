/* SPDX-License-Identifier: MIT
 * merge: adds results up: counts and histograms exactly, over threads, hosts and runs.
 *
 * Runs that overlap in time (--start-at) are one load: times are since the start of the first, and
 * the measured part is from the first begin to the last end. Others are taken one behind the other:
 * what lies between them is left out. Clocks of several hosts agree as well as they are set.
 */
#include "merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echoload/report/outputs.h"
#include "echoload/report/report.h"
#include "echoload/report/report_private.h"
#include "echoload/result/verdict.h"
#include "merge_private.h"
#include "tool.h"

enum { HIST_DIGITS = 3 };

static const struct opt merge_opts[] = {
	OPT_ENUM(load_config, output, "text", report_printed, "what is printed on standard output",
		 .letter = 'o'),
	OPT_PATH(load_config, json, NULL, "write the result to this file too, as JSON"),
	OPT_PATH(load_config, hist, NULL, "write latency to this file, NAME.hgrm"),
	PROGRAM_ROWS(load_config),
	OPT_END,
};

static int by_start(const void *a, const void *b)
{
	const struct merge_part *x = a, *y = b;

	if (x->dead != y->dead)
		return x->dead - y->dead;
	return (x->result.start_unix_ns > y->result.start_unix_ns) -
	       (x->result.start_unix_ns < y->result.start_unix_ns);
}

static int by_number(const void *a, const void *b)
{
	const struct merge_part *x = a, *y = b;

	return (x->part.number > y->part.number) - (x->part.number < y->part.number);
}

static int by_begin(const void *a, const void *b)
{
	const struct outage *x = a, *y = b;

	return (x->begin_ns > y->begin_ns) - (x->begin_ns < y->begin_ns);
}

/* Whether each of the runs began before all earlier ones had ended. */
static bool merge_overlap(const struct merge *m)
{
	int64_t end_ns = 0;

	for (unsigned i = 0; i < m->count; i++) {
		const struct result *r = &m->parts[i].result;

		if (i > 0 && r->start_unix_ns >= end_ns)
			return false;
		if (r->start_unix_ns + r->duration_ns > end_ns)
			end_ns = r->start_unix_ns + r->duration_ns;
	}
	return true;
}

/* Moves a part's times by @by_ns. */
static void merge_shift(struct merge_part *p, int64_t by_ns)
{
	struct result *r = &p->result;

	for (unsigned i = 0; i < r->outage_count; i++)
		outage_shift(&p->outages[i], -by_ns);
	for (unsigned i = 0; i < p->service_count; i++)
		service_shift(&p->service[i], -by_ns);
	pauses_shift(&r->pauses, -by_ns);
	for (unsigned t = 0; t <= r->target_count; t++) {
		struct books *b = t < r->target_count ? &r->targets[t].books : &r->books;

		if (b->last_echo_ns > 0)
			b->last_echo_ns += by_ns;
		for (unsigned i = 0; i < b->outcome_count; i++) {
			b->outcomes[i].first_ns += by_ns;
			b->outcomes[i].last_ns += by_ns;
		}
	}
	r->duration_ns += by_ns;
}

/* The sum's measured part; see above. */
static void merge_span(struct merge *m, const struct merge_part *p, int64_t by_ns)
{
	const struct result *r = &p->result;
	struct result *to = &m->sum;
	int64_t begin_ns = r->measure_begin_ns + by_ns, end_ns = r->measure_end_ns + by_ns;

	if (!m->together) {
		to->measure_end_ns += r->measure_end_ns - r->measure_begin_ns;
		return;
	}
	if (p == m->parts || begin_ns < to->measure_begin_ns)
		to->measure_begin_ns = begin_ns;
	if (end_ns > to->measure_end_ns)
		to->measure_end_ns = end_ns;
}

static int64_t merge_known(int64_t a, int64_t b)
{
	return a < 0 || b < 0 ? -1 : a + b;
}

/* What kept the generators from running; the pauses of a part have moved with it. */
static void merge_starvation(struct result *to, const struct result *r, bool first)
{
	struct pauses *p = &to->pauses;
	const bool alike =
		to->bottleneck == r->bottleneck && to->bottleneck_reason == r->bottleneck_reason;

	to->wait_ns = merge_known(to->wait_ns, r->wait_ns);
	to->quota = first || to->quota == r->quota ? r->quota : 0;
	to->throttled += r->throttled;
	to->throttled_ns += r->throttled_ns;
	for (unsigned i = 0; i < r->pauses.count; i++) {
		if (p->count < PAUSES_MAX)
			p->list[p->count++] = r->pauses.list[i];
		else
			p->unlisted++;
	}
	p->unlisted += r->pauses.unlisted;
	p->total_ns += r->pauses.total_ns;
	for (unsigned i = 0; i < TCP_COUNTERS; i++)
		to->tcp.of[i] = -1; /* two runs on one host have seen the same */
	to->bottleneck = first || alike ? r->bottleneck : BOTTLENECK_UNKNOWN;
	to->bottleneck_reason = first || alike ? r->bottleneck_reason : REASON_MIXED;
}

/* What is not in the books. */
static void merge_rest(struct merge *m, const struct merge_part *p)
{
	const struct result *r = &p->result;
	struct result *to = &m->sum;
	const bool first = p == m->parts;

	to->threads = m->together ? to->threads + r->threads
				  : (to->threads > r->threads ? to->threads : r->threads);
	to->late_sends += r->late_sends;
	to->cpu_ns += r->cpu_ns;
	to->busy_poll_ns += r->busy_poll_ns;
	to->steal_ns = merge_known(to->steal_ns, r->steal_ns);
	merge_starvation(to, r, first);
	to->outages_unlisted += r->outages_unlisted;
	to->interrupted |= r->interrupted;
	to->backend = first || strcmp(to->backend, r->backend) == 0 ? r->backend : "several";
	if (r->duration_ns > to->duration_ns)
		to->duration_ns = r->duration_ns;
}

/* Adds a part. */
static int merge_add(struct merge *m, struct merge_part *p)
{
	struct result *to = &m->sum;
	const uint64_t peak = to->books.peak;
	const int64_t by_ns =
		m->together ? p->result.start_unix_ns - to->start_unix_ns : to->duration_ns;

	merge_shift(p, by_ns);
	merge_span(m, p, by_ns);
	books_merge(&to->books, &p->result.books);
	to->books.peak = m->together                   ? peak + p->result.books.peak
			 : peak > p->result.books.peak ? peak
						       : p->result.books.peak;
	for (unsigned i = 0; i < p->result.outage_count && p->part.count == 0; i++)
		m->outages[to->outage_count++] = p->outages[i];
	merge_rest(m, p);
	return merge_targets_add(to, &p->result);
}

/* The exit code that stands for all, and the words of the part that it is from. */
static void merge_judge(struct merge *m)
{
	struct result *r = &m->sum;

	snprintf(r->exit_reason, sizeof(r->exit_reason), "ok");
	for (unsigned i = 0; i < m->count; i++)
		r->exit_code = verdict_of_two(r->exit_code, m->parts[i].result.exit_code);
	for (unsigned i = 0; r->exit_code != EXIT_OK && i < m->count; i++) {
		if (m->parts[i].result.exit_code != r->exit_code)
			continue;
		snprintf(r->exit_reason, sizeof(r->exit_reason), "%.80s: %.160s", m->parts[i].name,
			 m->parts[i].result.exit_reason);
		break;
	}
}

/* ---- the command ---- */

/* Reserves what all results are added to. */
static int merge_reserve(struct merge *m, unsigned count)
{
	m->parts = calloc(count, sizeof(*m->parts));
	m->targets = calloc(TARGETS_MAX, sizeof(*m->targets));
	m->intervals = merge_intervals_new();
	for (unsigned i = 0; i < MERGE_HISTS; i++) {
		m->hists[i] = hist_new(HIST_DIGITS);
		if (!m->hists[i])
			return -ENOMEM;
	}
	return m->parts && m->targets && m->intervals ? 0 : -ENOMEM;
}

/* What is big is added up as it comes, and not kept: there may be a thousand. */
static int merge_take(struct merge *m, struct merge_part *p)
{
	static const char *const big[] = { "intervals", "histograms", "service", "config_source" };

	if (p->part.count > 0 && !p->dead)
		merge_intervals_add(m->intervals, p);
	if (p->error[0])
		return -EINVAL;
	for (unsigned i = 0; i < MERGE_HISTS && !p->dead; i++) {
		hist_merge(m->hists[i], p->hists[i]);
		hist_free(p->hists[i]);
		p->hists[i] = NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(big); i++)
		(void)json_object_del(p->root, big[i]);
	return 0;
}

/* Reads one more. A file of a part that has not one line is left out: the part is missing, and is
 * named as others that are. */
static int merge_read_one(struct merge *m, const char *name)
{
	struct merge_part *p = &m->parts[m->count++];

	if (merge_read(p, name) == 0 && merge_take(m, p) == 0)
		return 0;
	if (p->lack == -ENOMEM)
		return -ENOMEM;
	log_error("%s: %s", name, p->error);
	if (!p->nothing)
		return p->lack ? p->lack : -EINVAL;
	m->left_out = true;
	m->count--;
	return 0;
}

static int merge_read_all(struct merge *m, char **names, unsigned count)
{
	uint64_t total = 0, seats = 0; /* and threads */
	size_t outages = 1;
	int e = merge_reserve(m, count);

	for (unsigned i = 0; i < count && e == 0; i++)
		e = merge_read_one(m, names[i]);
	if (e < 0)
		return e;
	for (unsigned i = 0; i < m->count; i++) {
		const struct merge_part *p = &m->parts[i];

		outages += p->result.outage_count;
		seats += (uint64_t)p->config.connections + p->config.idle + p->result.threads;
		total += p->total;
		if (total > (uint64_t)merge_number_max || seats > UINT32_MAX) {
			log_error("%s: the sum is more than can be counted", p->name);
			return -EINVAL;
		}
	}
	outages = outages > OUTAGES_MAX ? outages : OUTAGES_MAX;
	m->outages = calloc(outages, sizeof(*m->outages));
	return m->outages ? 0 : -ENOMEM;
}

/* A run that was named twice would be counted twice. In order of time they are neighbours. */
static int merge_refuse_twice(const struct merge *m)
{
	for (unsigned i = 1; i < m->count; i++) {
		if (!json_equal(m->parts[i - 1].root, m->parts[i].root))
			continue;
		log_error("%s and %s are the same run", m->parts[i - 1].name, m->parts[i].name);
		return -EINVAL;
	}
	return 0;
}

/* Of parts: those that have a result are in front. */
static int merge_leave_dead(struct merge *m)
{
	while (m->count > 0 && m->parts[m->count - 1].dead) {
		m->count--;
		m->dead_count++;
	}
	if (m->count > 0)
		return 0;
	log_error("%s: no part has a result", m->parts[0].name);
	return -EINVAL;
}

/* All of them, into the sum. */
static int merge_sum(struct merge *m)
{
	struct result *r = &m->sum;
	int e = 0;

	merge_load_first(m, &m->parts[0].config);
	for (unsigned i = 1; i < m->count; i++)
		merge_load_add(m, &m->parts[i].config);
	r->config = &m->config;
	r->start_unix_ns = m->parts[0].result.start_unix_ns;
	r->backend_why = "";
	r->outages = m->outages;
	r->targets = m->targets;
	merge_point(r, m->hists);
	for (unsigned i = 0; i < m->count && e == 0; i++)
		e = merge_add(m, &m->parts[i]);
	if (e == -E2BIG)
		log_error("more than %d targets together", TARGETS_MAX);
	if (e < 0)
		return e;
	qsort(m->outages, r->outage_count, sizeof(*m->outages), by_begin);
	books_sort(&r->books);
	for (unsigned i = 0; i < r->target_count; i++)
		books_sort(&r->targets[i].books);
	return 0;
}

/* What is more to a sum of parts. */
static int merge_whole_load(struct merge *m)
{
	struct result *r = &m->sum;
	const int e = merge_parts_sum(m), found = e < 0 ? e : merge_outages_find(m, m->outages);

	if (found < 0)
		return found;
	r->outages_unlisted = 0; /* they were of parts */
	r->outage_count = (unsigned)found;
	merge_intervals_sum(m->intervals, r);
	merge_parts_judge(m);
	return 0;
}

static int merge_all(struct merge *m)
{
	struct result *r = &m->sum;
	int e;

	qsort(m->parts, m->count, sizeof(*m->parts), by_number);
	e = merge_parts_check(m);
	if (e < 0)
		return e;
	qsort(m->parts, m->count, sizeof(*m->parts), by_start);
	e = merge_leave_dead(m);
	if (e == 0)
		e = merge_refuse_twice(m);
	if (e < 0)
		return e;
	for (unsigned i = 0; i < m->count; i++) /* they have moved */
		m->parts[i].result.config = &m->parts[i].config;
	m->together = m->parts[0].part.count > 0 || merge_overlap(m);
	e = merge_sum(m);
	if (e == 0 && m->parts[0].part.count > 0)
		e = merge_whole_load(m);
	else
		merge_judge(m);
	if (e < 0)
		return e;
	r->merged_how = m->together ? "together" : "one after the other";
	r->merged_count = m->count;
	r->merged_config = merge_config(m);
	r->merged = merge_inputs(m);
	return r->merged_config && r->merged && !tojson_no_memory() ? 0 : -ENOMEM;
}

static int merge_run(struct merge *m, char **names, unsigned count)
{
	struct outputs files;
	const char *broken;
	int e = merge_read_all(m, names, count);

	if (e == 0)
		e = merge_all(m);
	if (e < 0) {
		if (e == -ENOMEM)
			log_error("%s", strerror(ENOMEM));
		return program_exit_unread(-e);
	}
	broken = result_check(&m->sum);
	if (broken) {
		log_error("a bug in echoload, the sum does not balance: %s", broken);
		return EXIT_INTERNAL;
	}
	e = outputs_open(&files, &m->sum);
	if (e == 0)
		e = outputs_end(&files, &m->sum);
	if (e < 0) {
		log_error("cannot write %s: %s", files.what, strerror(-e));
		return EXIT_ENVIRONMENT;
	}
	e = report(&m->sum);
	if (e < 0) {
		log_error("cannot write standard output: %s", strerror(-e));
		return EXIT_ENVIRONMENT;
	}
	return program_exit(m->sum.exit_code);
}

static void merge_fini(struct merge *m)
{
	for (unsigned i = 0; m->parts && i < m->count + m->dead_count; i++)
		merge_free(&m->parts[i]);
	for (unsigned i = 0; i < MERGE_HISTS; i++)
		hist_free(m->hists[i]);
	json_decref(m->sum.merged);
	json_decref(m->sum.merged_config);
	json_decref(m->sum.merged_parts);
	merge_intervals_free(m->intervals);
	for (unsigned i = 0; i < m->sum.target_count; i++)
		hist_free(m->sum.targets[i].latency);
	free(m->targets);
	free(m->outages);
	free(m->parts);
}

int merge_main(int argc, char **argv)
{
	static struct merge m;
	int r, code;

	m = (struct merge){
		.opts = { .program = "echoload",
			  .usage = "merge [OPTION]... RESULT.json...",
			  .about =
				  "Adds results up, histograms included. Runs that overlap in time "
				  "are one load, others count one after the other. The exit code "
				  "is the worst of theirs." },
	};
	r = tool_begin(&m.opts, "merge", merge_opts, &m.config, argc, argv, &code);
	if (r < 0)
		return code;
	if (r == 0) {
		log_error("no results: echoload merge A.json B.json (see --help)");
		return EXIT_USAGE;
	}
	if (m.config.hist[0] && report_format_of("hist", m.config.hist) != &report_hgrm) {
		log_error("--hist: the name must end in .hgrm: a sum has no intervals");
		return EXIT_USAGE;
	}
	m.sum.argc = argc;
	m.sum.argv = argv;
	code = merge_run(&m, argv + 1, (unsigned)r);
	merge_fini(&m);
	return code;
}
