/* SPDX-License-Identifier: MIT
 * merge_read: an echoload/1 back to the struct that it was made from. A key that is missing, has
 * another type, or says what cannot be is an error that names it; the first one counts.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echo/base/hist_codec.h"
#include "echoload/engine/load.h"
#include "echoload/result/verdict.h"
#include "merge_private.h"

enum {
	HIST_DIGITS = 3,
	ERRNO_MAX = 4096,
	CONNECTIONS_MAX = 100 * 1000 * 1000,
	THREADS_MAX = 1000 * 1000,
};

/* ---- the books ---- */

/* The numbers of a group; a target has no peak of its own, an older result not every number. */
static void read_numbers(struct merge_part *p, const json_t *from, struct books *b,
			 enum books_group group)
{
	for (size_t i = 0; i < BOOKS_FIELDS; i++) {
		const struct books_field *f = &books_fields[i];

		if (f->group == group &&
		    (!(f->is_peak || f->is_optional) || json_object_get(from, f->key)))
			*books_number(b, f) = merge_value_count(p, from, f->key);
	}
}

static void read_connections(struct merge_part *p, const json_t *c, struct books *b,
			     uint32_t *requested)
{
	const int64_t wanted = merge_value_moment(p, c, "requested");

	if (wanted > CONNECTIONS_MAX)
		merge_value_fail(p, "nobody requested %lld connections", (long long)wanted);
	*requested = (uint32_t)wanted;
	read_numbers(p, c, b, BOOKS_CONNECTIONS);
}

static int errno_of(const char *name)
{
	for (int e = 1; name[0] && e < ERRNO_MAX; e++) {
		const char *known = cause_errno_name(e);

		if (known && strcmp(known, name) == 0)
			return e;
	}
	return 0;
}

/* One row of "outcomes", the @nth. Returns whether it is one. */
static bool read_outcome(struct merge_part *p, const json_t *row, size_t nth, struct outcome *o)
{
	const char *cause = merge_value_text(p, row, "cause"),
		   *phase = merge_value_text(p, row, "phase");

	*o = (struct outcome){ .cause = cause_find(cause),
			       .err = errno_of(merge_value_text(p, row, "errno")) };
	while (o->at < PHASE_COUNT && strcmp(cause_phase_name(o->at), phase) != 0)
		o->at++;
	o->count = merge_value_count(p, row, "count");
	o->messages_lost = merge_value_count(p, row, "messages_lost");
	o->first_ns = merge_value_number(p, row, "first_ns");
	o->last_ns = merge_value_number(p, row, "last_ns");
	if (o->cause == CAUSE_NONE || o->cause == CAUSE_COUNT || o->at == PHASE_COUNT)
		merge_value_fail(p, "'outcomes' %zu: cause '%.40s' or phase '%.40s' is unknown",
				 nth, cause, phase);
	else if (o->first_ns > o->last_ns)
		merge_value_fail(p, "'outcomes' %zu: 'first_ns' is after 'last_ns'", nth);
	else if (o->count == 0)
		merge_value_fail(p, "'outcomes' %zu: 'count' is 0", nth);
	return p->error[0] == '\0';
}

static void read_outcomes(struct merge_part *p, const json_t *from, struct books *b)
{
	const json_t *rows = json_object_get(from, "outcomes"), *row;
	struct outcome o;
	size_t i;

	if (!json_is_array(rows))
		merge_value_fail(p, "'outcomes' is missing");
	json_array_foreach(rows, i, row)
	{
		if (!read_outcome(p, row, i, &o))
			return;
		books_outcome(b, &o);
	}
}

/* A byte of a message. */
static uint8_t byte(struct merge_part *p, const json_t *from, const char *key)
{
	const int64_t n = merge_value_moment(p, from, key);

	if (n > UINT8_MAX)
		merge_value_fail(p, "'%s' is no byte", key);
	return (uint8_t)n;
}

static void read_corruption(struct merge_part *p, struct corruption *c)
{
	const json_t *from = json_object_get(p->root, "corruption");

	if (!json_is_object(from))
		return;
	c->found = true;
	c->connection = (uint64_t)merge_value_moment(p, from, "connection");
	c->offset = (uint64_t)merge_value_moment(p, from, "offset");
	c->surplus = json_is_null(json_object_get(from, "expected"));
	c->expected = c->surplus ? 0 : byte(p, from, "expected");
	c->seen = byte(p, from, "seen");
}

static void read_books(struct merge_part *p)
{
	const json_t *measured = merge_value_object(p, p->root, "measured");
	const json_t *connections = merge_value_object(p, p->root, "connections");
	struct books *b = &p->result.books;

	read_connections(p, connections, b, &p->config.connections);
	if (!json_object_get(connections, "peak"))
		merge_value_fail(p, "'peak' is missing");
	read_numbers(p, merge_value_object(p, p->root, "messages"), b, BOOKS_MESSAGES);
	read_numbers(p, measured, b, BOOKS_MEASURED);
	p->result.measure_begin_ns = merge_value_number(p, measured, "begin_ns");
	p->result.measure_end_ns = merge_value_number(p, measured, "end_ns");
	if (p->result.measure_end_ns < p->result.measure_begin_ns)
		merge_value_fail(p, "what was measured ends before it begins");
	read_numbers(p, merge_value_object(p, p->root, "bytes"), b, BOOKS_BYTES);
	read_outcomes(p, p->root, b);
	read_corruption(p, &b->corruption);
}

/* Of several targets each has its own; older results do not have it. */
static void read_target_latency(struct merge_part *p, const json_t *row, struct target_result *t)
{
	const char *code = merge_value_text(p, row, "histogram");
	int r;

	if (!code[0] || p->error[0])
		return;
	r = hist_codec_decode(code, &t->latency);
	if (r == -ENOMEM)
		merge_value_no_memory(p);
	else if (r < 0 || hist_digits(t->latency) != TARGET_DIGITS ||
		 t->latency->count > (uint64_t)merge_number_max)
		merge_value_fail(p, "'targets': 'histogram' is none of %d digits", TARGET_DIGITS);
	else
		p->total += t->latency->count;
}

static void read_targets(struct merge_part *p)
{
	const json_t *row, *rows = json_object_get(p->root, "targets");
	size_t i;

	if (json_array_size(rows) == 0)
		merge_value_fail(p, "'targets' is missing");
	if (json_array_size(rows) > TARGETS_MAX) {
		merge_value_fail(p, "more than %d targets", TARGETS_MAX);
		return;
	}
	p->targets = calloc(json_array_size(rows) + 1, sizeof(*p->targets));
	p->result.targets = p->targets;
	if (!p->targets) {
		merge_value_no_memory(p);
		return;
	}
	json_array_foreach(rows, i, row)
	{
		struct target_result *t = &p->targets[i];

		t->name = merge_value_text(p, row, "target");
		snprintf(t->address, sizeof(t->address), "%s", merge_value_text(p, row, "address"));
		read_connections(p, merge_value_object(p, row, "connections"), &t->books,
				 &t->requested);
		read_numbers(p, merge_value_object(p, row, "messages"), &t->books, BOOKS_MESSAGES);
		read_outcomes(p, row, &t->books);
		t->books.last_echo_ns = merge_value_number_or_none(p, row, "last_echo_ns");
		p->result.target_count++;
		read_target_latency(p, row, t);
	}
}

/* What the targets had is what all had, but for what was missed: that was meant for none of them.
 */
static void check_targets(struct merge_part *p)
{
	const struct books *all = &p->result.books;
	struct books sum = { .peak = all->peak };
	uint64_t requested = 0;

	for (unsigned i = 0; i < p->result.target_count; i++) {
		const char *broken = books_check(&p->result.targets[i].books);

		if (broken)
			merge_value_fail(p, "'targets' %u: its books do not balance: %s", i,
					 broken);
		requested += p->result.targets[i].requested;
		books_merge(&sum, &p->result.targets[i].books);
	}
	if (requested != p->config.connections || sum.attempts != all->attempts ||
	    sum.established != all->established || sum.reached != all->reached ||
	    sum.failed != all->failed || memcmp(&sum.all, &all->all, sizeof(sum.all)) != 0)
		merge_value_fail(p, "'targets' do not add up to 'connections' and 'messages'");
}

static bool in_order(const struct outage *o)
{
	const int64_t first_ns = o->first_success_ns < 0 ? o->noticed_ns : o->first_success_ns;

	return o->begin_ns <= o->noticed_ns && o->noticed_ns <= first_ns &&
	       (o->recovered_ns < 0 || first_ns <= o->recovered_ns);
}

static void read_outages(struct merge_part *p)
{
	const json_t *row, *rows = json_object_get(p->root, "outages");
	const int64_t unlisted = merge_value_number_or_none(p, p->root, "outages_unlisted");
	size_t i;

	p->result.outages_unlisted = unlisted > 0 ? (uint64_t)unlisted : 0;
	p->outages = calloc(json_array_size(rows) + 1, sizeof(*p->outages));
	p->result.outages = p->outages;
	json_array_foreach(rows, i, row)
	{
		if (!p->outages) {
			merge_value_no_memory(p);
			return;
		}
		p->outages[i] = (struct outage){
			.begin_ns = merge_value_number(p, row, "begin_ns"),
			.noticed_ns = merge_value_number(p, row, "noticed_ns"),
			.first_success_ns = merge_value_number_or_none(p, row, "first_success_ns"),
			.recovered_ns = merge_value_number_or_none(p, row, "recovered_ns"),
			.messages_lost = merge_value_count(p, row, "messages_lost"),
			.by_silence = json_is_true(json_object_get(row, "by_silence")),
		};
		if (!in_order(&p->outages[i]))
			merge_value_fail(p, "'outages' %zu: its times are not in order", i);
		p->result.outage_count++;
	}
}

/* ---- histograms ---- */

/* Takes what is exact beside the counters from the numbers at @latency, if they agree with them. */
static bool read_exact(struct merge_part *p, struct hist *h, const json_t *latency)
{
	const int64_t min = merge_value_moment(p, latency, "min"),
		      max = merge_value_moment(p, latency, "max");
	const int64_t mean = merge_value_moment(p, latency, "mean");

	if (hist_index(h, (uint64_t)min) != hist_index(h, (uint64_t)h->min) ||
	    hist_index(h, (uint64_t)max) != hist_index(h, (uint64_t)h->max) || mean < min ||
	    mean > max)
		return false;
	h->min = min;
	h->max = max;
	h->sum = (unsigned __int128)(uint64_t)mean * h->count;
	return true;
}

static int read_hist(struct merge_part *p, enum merge_hist at, const char *key,
		     const json_t *latency)
{
	const char *code = merge_value_text(p, json_object_get(p->root, "histograms"), key);
	const uint64_t values = latency ? merge_value_count(p, latency, "count") : 0;
	struct hist *h = hist_new(HIST_DIGITS), *got = NULL;
	int r;

	p->hists[at] = h;
	if (!h)
		return merge_value_no_memory(p);
	if (values == 0)
		return 0;
	r = hist_codec_decode(code, &got);
	if (r == -ENOMEM)
		return merge_value_no_memory(p);
	if (r < 0)
		return merge_value_fail(p, "histogram '%s' is missing, or none", key);
	if (got->bits == h->bits && got->count == values && read_exact(p, got, latency)) {
		p->hists[at] = got;
		hist_free(h);
		return 0;
	}
	hist_free(got);
	return merge_value_fail(p, "histogram '%s' has other digits or values than its latency",
				key);
}

static void read_hists(struct merge_part *p)
{
	static const char *const keys[MERGE_HISTS] = {
		[MERGE_LATENCY] = "latency_ns",
		[MERGE_UNCORRECTED] = "latency_uncorrected_ns",
		[MERGE_OUTSIDE] = "latency_outside_outage_ns",
		[MERGE_CONNECT] = "connect_ns",
		[MERGE_LATENESS] = "lateness_ns",
	};

	for (enum merge_hist i = 0; i < MERGE_HISTS; i++) {
		const json_t *from =
			i == MERGE_LATENESS ? json_object_get(p->root, "generator") : p->root;

		(void)read_hist(p, i, keys[i], json_object_get(from, keys[i]));
	}
	merge_point(&p->result, p->hists);
}

void merge_point(struct result *r, struct hist *const hists[MERGE_HISTS])
{
	r->latency = hists[MERGE_LATENCY];
	r->uncorrected = hists[MERGE_UNCORRECTED];
	r->outside = hists[MERGE_OUTSIDE];
	r->connect = hists[MERGE_CONNECT];
	r->lateness = hists[MERGE_LATENESS];
}

/* ---- the rest ---- */

static void read_context(struct merge_part *p)
{
	const json_t *context = merge_value_object(p, p->root, "context"),
		     *end = merge_value_object(p, p->root, "exit");
	const int64_t threads = merge_value_number_or_none(p, context, "threads");

	p->result.start_unix_ns = merge_value_moment(p, context, "start_unix_ns");
	if (threads > THREADS_MAX)
		merge_value_fail(p, "nobody runs %lld threads", (long long)threads);
	p->result.threads = threads > 0 ? (unsigned)threads : 1;
	p->result.backend = merge_value_text(p, context, "backend");
	p->result.duration_ns = merge_value_number(p, p->root, "duration_ns");
	p->result.interrupted = json_is_true(json_object_get(p->root, "interrupted"));
	p->result.exit_code = (int)merge_value_moment(p, end, "code");
	if (!verdict_known(merge_value_moment(p, end, "code")))
		merge_value_fail(p, "no run ends with exit code %lld",
				 (long long)merge_value_moment(p, end, "code"));
	snprintf(p->result.exit_reason, sizeof(p->result.exit_reason), "%s",
		 merge_value_text(p, end, "reason"));
}

/* Those values of the configuration that the text for people speaks of, and no other. One that is
 * not there (a sum has those that all have alike) has its default. */
static void read_config(struct merge_part *p)
{
	static const char *const keys[] = { "size", "pipeline", "rate",  "arrivals",
					    "idle", "churn",    "close", "verify" };
	const json_t *config = merge_value_object(p, p->root, "config");

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		merge_config_value(p, &p->config, keys[i], merge_config_row(keys[i])->fallback);
		merge_config_value(p, &p->config, keys[i], merge_value_text(p, config, keys[i]));
	}
}

static int read_all(struct merge_part *p)
{
	const char *broken;

	if (strcmp(merge_value_text(p, p->root, "schema"), "echoload/1") != 0)
		return merge_value_fail(p,
					"is no result of echoload: its schema is not echoload/1");
	(void)merge_value_text(p, p->root, "phase");
	read_config(p);
	p->result.config = &p->config;
	read_context(p);
	read_books(p);
	read_targets(p);
	read_outages(p);
	merge_generator_read(p);
	read_hists(p);
	if (p->error[0])
		return -EINVAL;
	broken = result_check(&p->result);
	if (broken)
		return merge_value_fail(p, "its books do not balance: %s", broken);
	check_targets(p);
	merge_part_read(p);
	if (p->total > (uint64_t)merge_number_max)
		merge_value_fail(p, "its numbers are more than can be added up");
	return p->error[0] ? -EINVAL : 0;
}

int merge_read(struct merge_part *p, const char *name)
{
	*p = (struct merge_part){ .name = name };
	if (merge_file_load(p) < 0)
		return -EINVAL;
	if (p->dead) {
		merge_part_read(p);
		return p->error[0] ? -EINVAL : 0;
	}
	return read_all(p);
}

void merge_free(struct merge_part *p)
{
	for (unsigned i = 0; i < MERGE_HISTS; i++)
		hist_free(p->hists[i]);
	free(p->outages);
	for (unsigned i = 0; i < p->result.target_count; i++)
		hist_free(p->targets[i].latency);
	free(p->targets);
	free(p->service);
	json_decref(p->root);
}
