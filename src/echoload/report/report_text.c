/* SPDX-License-Identifier: MIT
 * report_text: a result for people: what was asked for, what came of it, and, only where something
 * went wrong, the tables that say what, when, and what it cost. A label of its own begins each
 * part; the last line is the verdict.
 */
#include "report.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/base/hist.h"
#include "echo/base/output.h"
#include "echo/base/units.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"
#include "para.h"
#include "report_text_private.h"

enum {
	TARGETS_NAMED = 2, /* in the first line */
};

/* The part of the threads' time from which on waiting for a CPU is worth a word. */
static const double wait_said = 0.1;

/* ---- what was asked for ---- */

static void print_target(const struct result *r, FILE *to)
{
	struct para t = { .len = 0 };

	for (unsigned i = 0; i < r->target_count && i < TARGETS_NAMED; i++) {
		const struct target_result *at = &r->targets[i];

		para_add(&t, "%s%s", i ? ", " : "", at->name);
		if (strcmp(at->name, at->address) != 0)
			para_add(&t, " (%s)", at->address);
	}
	if (r->target_count > TARGETS_NAMED)
		para_add(&t, " and %u more", r->target_count - TARGETS_NAMED);
	para_print(&t, "target", to);
}

static void add_size(struct para *t, uint64_t min, uint64_t max)
{
	if (min < max)
		para_count(t, "", min, " to ");
	para_count(t, "", max, " B");
}

static void add_sizes(struct para *t, const struct sizes *s)
{
	if (s->count <= 1) {
		add_size(t, s->min, s->max);
		return;
	}
	for (unsigned i = 0; i < s->count; i++) {
		const struct size_part *p = &s->parts[i];

		para_add(t, "%s", i == 0 ? "" : i + 1 < s->count ? ", " : " or ");
		add_size(t, p->min, p->max);
		para_add(t, " (%.3g%%)", 100 * (double)p->weight / (double)s->total);
	}
}

/* What of the load has no default that everybody knows. */
static void add_ways(struct para *t, const struct load_config *c)
{
	if (c->churn > 0)
		para_count(t, "; a new connection after ", c->churn, " message");
	if (c->churn > 0)
		para_add(t, "%s%s", report_text_plural(c->churn),
			 c->close == CLOSE_RST ? ", by RST" : "");
}

/* At least in part: a sum of several has no one rate, but messages that were due. */
static bool is_open_loop(const struct result *r)
{
	return r->config->rate > 0 || r->lateness->count > 0;
}

static void print_load(const struct result *r, FILE *to)
{
	const struct load_config *c = r->config;
	struct para t = { .len = 0 };

	para_add(&t, "%s, %u thread%s; ", r->backend, r->threads, report_text_plural(r->threads));
	if (c->rate > 0)
		para_rate(&t, "open loop of ", c->rate, "/s");
	else if (is_open_loop(r))
		para_add(&t, "open loops of several rates, or closed ones; ");
	if (c->rate > 0)
		para_add(&t, "%s; ", c->arrivals == ARRIVALS_POISSON ? " at random times" : "");
	para_add(&t, "messages of ");
	add_sizes(&t, &c->size);
	para_count(&t, c->rate > 0 ? ", up to " : ", ", c->pipeline, " in flight each");
	add_ways(&t, c);
	para_print(&t, "load", to);
}

/* What is not one run but several. */
static void print_sum(const struct result *r, FILE *to)
{
	struct para t = { .len = 0 };

	if (!r->merged_how || r->parts)
		return;
	para_count(&t, "of ", r->merged_count, " result");
	para_add(&t, "%s, %s", report_text_plural(r->merged_count), r->merged_how);
	para_print(&t, "sum", to);
}

/* What is no whole load. */
static void print_part(const struct result *r, FILE *to)
{
	const struct load_config *whole = r->whole;
	struct para t = { .len = 0 };

	if (!whole)
		return;
	para_count(&t, "", whole->part.number, " of ");
	para_count(&t, "", whole->part.count, "");
	para_add(&t, " (%s)", whole->part.from[0] ? whole->part.from : "--part");
	para_count(&t, ", of a load of ", whole->connections, " connections");
	if (r->start_skew_ns > REPORT_TEXT_SKEW_NS && whole->start_at > 0)
		para_time(&t, "; began ", r->start_skew_ns, " after its time");
	if (r->clock_stepped_ns > REPORT_TEXT_SKEW_NS)
		para_time(&t, "; the clock of this host was set, by ", r->clock_stepped_ns, "");
	para_print(&t, "part", to);
}

/* What is there of a load in parts, and how well they kept together. */
static void print_parts(const struct result *r, FILE *to)
{
	const struct merged_parts *p = r->parts;
	struct para t = { .len = 0 };

	if (!p)
		return;
	para_count(&t, "", p->present, " of ");
	para_count(&t, "", p->count, "");
	if (p->missing[0]) {
		para_add(&t, "; missing: %s", p->missing);
		para_count(&t, ", with ", p->missing_connections, " of ");
		para_count(&t, "", p->connections, " connections");
	}
	if (p->present > 1)
		para_time(&t, "; they began within ", p->spread_ns, "");
	if (p->present > 1 && p->uncertainty_ns >= 0)
		para_time(&t, ", clocks known to ", p->uncertainty_ns, "");
	if (p->spread_ns > REPORT_TEXT_SKEW_NS)
		para_add(&t, ", which is too far apart: times of all together are no better");
	if (p->stepped_ns > REPORT_TEXT_SKEW_NS) {
		para_count(&t, "; the clock of part ", p->stepped, " was set");
		para_time(&t, ", by ", p->stepped_ns, "");
	}
	para_print(&t, "parts", to);
}

static void print_time(const struct result *r, FILE *to)
{
	struct para t = { .len = 0 };

	para_time(&t, "", r->duration_ns, "");
	if (r->duration_ns < r->measure_begin_ns)
		para_time(&t, ", less than the warm-up of ", r->measure_begin_ns, "");
	else if (r->measure_begin_ns > 0)
		para_time(&t, ", the first ", r->measure_begin_ns, " of it warm-up");
	if (r->interrupted)
		para_add(&t, ", interrupted");
	para_print(&t, "time", to);
}

/* ---- what came of it ---- */

static void print_connections(const struct result *r, FILE *to)
{
	const struct books *b = &r->books;
	struct para t = { .len = 0 };

	para_count(&t, "", r->config->connections, " requested");
	if (r->config->idle > 0)
		para_count(&t, " and ", r->config->idle, " idle");
	if (b->attempts != (uint64_t)r->config->connections + r->config->idle)
		para_count(&t, ", ", b->attempts, " attempts");
	para_count(&t, ", ", b->established, " established");
	if (r->config->churn > 0)
		para_rate(&t, ", ", result_connect_rate(r), " each second");
	if (b->failed > 0)
		para_count(&t, ", ", b->failed, " failed");
	para_count(&t, ", peak ", b->peak, "");
	if (b->connecting_at_end > 0)
		para_count(&t, "; ", b->connecting_at_end, " connecting at the end");
	if (b->open_at_end > 0)
		para_count(&t, "; ", b->open_at_end, " open at the end");
	para_print(&t, "connections", to);
}

static void print_messages(const struct result *r, FILE *to)
{
	const struct books *b = &r->books;
	const char *how = r->config->verify ? " and verified" : ", not verified";
	struct para t = { .len = 0 };

	if (b->missed > 0) {
		para_count(&t, "", b->planned, " planned, ");
		para_count(&t, "", b->missed, " missed, ");
	}
	para_count(&t, "", b->all.sent, " sent");
	if (b->all.sent > 0 && b->all.echoed == b->all.sent)
		para_add(&t, ", all echoed%s", how);
	else if (b->all.sent > 0)
		para_count(&t, ", ", b->all.echoed, " echoed");
	if (b->all.echoed > 0 && b->all.echoed < b->all.sent)
		para_add(&t, "%s", how);
	if (b->all.lost > 0)
		para_count(&t, ", ", b->all.lost, " lost");
	if (b->all.corrupt > 0)
		para_count(&t, ", ", b->all.corrupt, " corrupt");
	if (b->all.unfinished > 0)
		para_count(&t, ", ", b->all.unfinished, " unfinished");
	para_print(&t, "messages", to);
}

static void print_rate(const struct result *r, FILE *to)
{
	const int64_t span_ns = r->measure_end_ns - r->measure_begin_ns;
	char bytes[UNITS_MAX];
	struct para t = { .len = 0 };

	if (r->books.measured.echoed == 0)
		return;
	para_rate(&t, "", result_rate(r), "");
	if (r->config->rate > 0)
		para_rate(&t, " of ", r->config->rate, "");
	para_add(&t, " echoes/s, %s/s each way", units_bytes(result_byte_rate(r), 3, bytes));
	if (span_ns > 0)
		para_time(&t, ", over ", span_ns, "");
	para_print(&t, "rate", to);
}

static void print_latency_row(const char *label, const struct hist *h, FILE *to)
{
	static const double percents[] = { 50, 90, 99, 99.9, 99.99, 100 };
	char text[UNITS_MAX];

	if (h->count == 0) {
		fprintf(to, "%-*s no message\n", PARA_LABEL, label);
		return;
	}
	fprintf(to, "%-*s%9s", PARA_LABEL, label, units_time((int64_t)hist_mean(h), 3, text));
	for (size_t i = 0; i < ARRAY_LEN(percents); i++)
		fprintf(to, "%9s", units_time(hist_percentile(h, percents[i]), 3, text));
	fputc('\n', to);
}

static void print_latency(const struct result *r, FILE *to)
{
	if (r->latency->count == 0)
		return;
	fprintf(to, "\n%-*s%9s%9s%9s%9s%9s%9s%9s\n", PARA_LABEL, "latency", "mean", "p50", "p90",
		"p99", "p99.9", "p99.99", "max");
	print_latency_row(is_open_loop(r) ? "  from due" : "  all", r->latency, to);
	if (is_open_loop(r))
		print_latency_row("  from send", r->uncorrected, to);
	if (r->outage_count > 0)
		print_latency_row("  no outage", r->outside, to);
	if (r->config->churn > 0)
		print_latency_row("  connect", r->connect, to);
	if (r->lateness->count > 0)
		print_latency_row("  lateness", r->lateness, to);
}

/* ---- what went wrong ---- */

static void print_lost(const struct result *r, FILE *to)
{
	static const char *const how_far[] = {
		[LOST_UNSENT] = "not sent: safe to repeat",
		[LOST_PARTIAL] = "sent in part, which may have been read",
		[LOST_UNACKED] = "sent: may have been processed, acknowledged or not",
		[LOST_ACKED] = "acknowledged by the peer's kernel: may have been processed",
	};
	static_assert(ARRAY_LEN(how_far) == LOST_COUNT, "every kind has words");
	const char *label = "\nlost messages\n";
	char text[UNITS_MAX];

	for (size_t i = 0; i < LOST_COUNT; i++) {
		if (r->books.lost[i] == 0)
			continue;
		fprintf(to, "%s%*s  %s\n", label, PARA_LABEL - 2,
			units_count(r->books.lost[i], text), how_far[i]);
		label = "";
	}
}

/* "+1.02 s" after the begin, or "never". */
static char *after(const struct outage *o, int64_t at_ns, char text[UNITS_MAX])
{
	char time[UNITS_MAX];

	if (at_ns < 0)
		snprintf(text, UNITS_MAX, "never");
	else
		snprintf(text, UNITS_MAX, "+%.40s", units_time(at_ns - o->begin_ns, 3, time));
	return text;
}

static void print_outages(const struct result *r, FILE *to)
{
	if (r->outage_count == 0)
		return;
	fprintf(to, "\n%-12s%10s %12s %14s %12s %9s\n", "outage", "began", "noticed",
		"first success", "recovered", "lost");
	for (unsigned i = 0; i < r->outage_count && i < REPORT_TEXT_ROWS; i++) {
		const struct outage *o = &r->outages[i];
		char began[UNITS_MAX], noticed[UNITS_MAX], first[UNITS_MAX], recovered[UNITS_MAX];
		char lost[UNITS_MAX];

		fprintf(to, "%-12u%10s %12s %14s %12s %9s\n", i + 1,
			units_time(o->begin_ns, 4, began), after(o, o->noticed_ns, noticed),
			after(o, o->first_success_ns, first), after(o, o->recovered_ns, recovered),
			report_text_narrow(o->messages_lost, lost));
	}
	if (r->outage_count > REPORT_TEXT_ROWS)
		report_text_more(r->outage_count - REPORT_TEXT_ROWS, "outage", to);
	report_text_more(r->outages_unlisted, "outage", to);
}

static void print_corruption(const struct result *r, FILE *to)
{
	const struct corruption *c = &r->books.corruption;
	struct para t = { .len = 0 };

	if (!c->found)
		return;
	para_count(&t, "connection ", c->connection, ", ");
	para_count(&t, "byte ", c->offset, " of its stream: ");
	if (c->surplus)
		para_add(&t, "seen 0x%02x where nothing was owed", c->seen);
	else
		para_add(&t, "expected 0x%02x, seen 0x%02x", c->expected, c->seen);
	fputc('\n', to);
	para_print(&t, "corruption", to);
}

/* ---- how much to believe it ---- */

/* What kept it from running. Some waiting for a CPU is everybody's. */
static void add_starvation(struct para *t, const struct result *r)
{
	const double threads = (double)r->duration_ns * r->threads;
	const struct pauses *p = &r->pauses;

	if (threads > 0 && (double)r->wait_ns > wait_said * threads)
		para_add(t, ", %.0f%% waiting for a CPU", 100 * (double)r->wait_ns / threads);
	if (r->throttled > 0 && r->quota > 0)
		para_add(t, ", quota of %.3g CPUs used up", r->quota);
	else if (r->throttled > 0)
		para_add(t, ", quota used up");
	if (r->throttled > 0)
		para_count(t, " ", r->throttled, r->throttled == 1 ? " time" : " times");
	if (p->count > 0)
		para_time(t, ", paused ", p->total_ns, "");
	if (p->count == 1)
		para_time(t, " at ", p->list[0].begin_ns, "");
	else if (p->count > 1)
		para_count(t, " in ", p->count + p->unlisted, " pauses");
	if (r->steal_ns > 0)
		para_time(t, ", ", r->steal_ns, " stolen by the hypervisor");
}

/* Counters of the kernel that moved, also by other programs. */
static void print_tcp(const struct result *r, FILE *to)
{
	struct para t = { .len = 0 };

	for (unsigned i = 0; i < TCP_COUNTERS; i++) {
		if (r->tcp.of[i] <= 0)
			continue;
		para_add(&t, "%s%s", t.len > 0 ? ", " : "", tcp_counter_name(i));
		para_count(&t, " ", (uint64_t)r->tcp.of[i], "");
	}
	if (t.len > 0)
		para_print(&t, "host's TCP", to);
}

static void print_generator(const struct result *r, FILE *to)
{
	static const char *const bottlenecks[] = {
		[BOTTLENECK_UNKNOWN] = "unknown",
		[BOTTLENECK_CLIENT] = "this client",
		[BOTTLENECK_SERVER] = "target or path",
	};
	const char *why = bottleneck_reason_text(r->bottleneck_reason);
	const double available = (double)r->duration_ns * r->threads;
	const double busy = available > 0 ? fmin(1, (double)r->cpu_ns / available) : 0;
	struct para t = { .len = 0 };

	para_time(&t, "", r->cpu_ns, " of CPU");
	para_add(&t, ", %.0f%% of %u thread%s", 100 * busy, r->threads,
		 report_text_plural(r->threads));
	if (r->busy_poll_ns > 0)
		para_time(&t, ", ", r->busy_poll_ns, " of it looking for events");
	add_starvation(&t, r);
	if (r->books.measured.echoed > 0 || r->bottleneck == BOTTLENECK_CLIENT)
		para_add(&t, "; bottleneck: %s", bottlenecks[r->bottleneck]);
	if (*why && r->bottleneck == BOTTLENECK_CLIENT)
		para_add(&t, " (%s)", why);
	fputc('\n', to);
	para_print(&t, "generator", to);
	print_tcp(r, to);
}

static void print_verdict(const struct result *r, FILE *to)
{
	char label[PARA_LABEL + 1];
	struct para t = { .len = 0 };

	snprintf(label, sizeof(label), "exit %d", r->exit_code);
	para_add(&t, "%s", r->exit_reason);
	para_print(&t, label, to);
}

static void print_phase(const struct result *r, FILE *to)
{
	struct para t = { .len = 0 };

	if (!r->phase)
		return;
	para_add(&t, "%s", r->phase);
	para_print(&t, "phase", to);
}

static int text_end(const struct result *r, FILE *to)
{
	print_phase(r, to);
	print_target(r, to);
	print_load(r, to);
	print_part(r, to);
	print_sum(r, to);
	print_parts(r, to);
	print_time(r, to);
	fputc('\n', to);
	print_connections(r, to);
	print_messages(r, to);
	print_rate(r, to);
	print_latency(r, to);
	print_outages(r, to);
	report_text_targets(r, to);
	print_lost(r, to);
	print_corruption(r, to);
	print_generator(r, to);
	print_verdict(r, to);
	if (r->phase) /* more follow */
		fputc('\n', to);
	return output_flush(to);
}

const struct report_format report_text = { .end = text_end };
