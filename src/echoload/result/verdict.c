/* SPDX-License-Identifier: MIT
 * verdict: the first question that has an answer decides. Do the books balance? Could this machine
 * make a connection at all? Was it interrupted? Was there one echo? Were there errors? Was anything
 * measured, with all connections, and in time? Was a limit missed? Was the load what was asked for?
 * Limits go before that: messages that were not even sent would have been slower still.
 */
#include "verdict.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echo/base/program.h"
#include "echo/base/units.h"
#include "echoload/options/opts.h"
#include "result.h"
#include "targets.h"

enum {
	KINDS_NAMED = 3, /* of errors; the rest is a number */
};

/* The part of its time that a client must have been kept from running to be blamed for a rate or a
 * latency. */
static const double starved_from = 0.1;

/* A cause of errors, counted apart for connects and for connections. */
struct kind {
	enum cause cause;
	bool connecting;
	uint64_t count;
};

struct sentence {
	char text[RESULT_REASON_MAX];
	size_t len;
};

/* Adds to the sentence; what does not fit is left out. */
static void __attribute__((format(printf, 2, 3))) say(struct sentence *s, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(s->text + s->len, sizeof(s->text) - s->len, fmt, args);
	va_end(args);
	assert(n >= 0);
	s->len = size_min(s->len + (size_t)n, sizeof(s->text) - 1);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* Takes the biggest kind of error out of @left. Returns its count, 0: none is left. */
static uint64_t take_biggest(uint64_t left[][CAUSE_COUNT], struct kind *k)
{
	k->count = 0;
	for (unsigned c = 0; c < 2; c++) {
		for (unsigned cause = 0; cause < CAUSE_COUNT; cause++) {
			if (left[c][cause] > k->count)
				*k = (struct kind){ cause, c, left[c][cause] };
		}
	}
	if (k->count > 0)
		left[k->connecting][k->cause] = 0;
	return k->count;
}

/* "64 connections ended in reset", "10 connects refused" */
static void say_kind(struct sentence *s, const struct kind *k)
{
	unsigned long long n = k->count;

	if (!k->connecting)
		say(s, "%llu connection%s ended in %s", n, plural(n), cause_name(k->cause));
	else if (k->cause == CAUSE_REFUSED)
		say(s, "%llu connect%s refused", n, plural(n));
	else
		say(s, "%llu connect%s ended in %s", n, plural(n), cause_name(k->cause));
}

/* Everything that went wrong, most frequent first; nothing if nothing did. */
static void say_errors(struct sentence *s, const struct books *b)
{
	uint64_t left[2][CAUSE_COUNT] = { { 0 } }, others = 0;
	const size_t begin = s->len;
	struct kind k;

	for (unsigned i = 0; i < b->outcome_count; i++) {
		const struct outcome *o = &b->outcomes[i];

		if (o->cause != CAUSE_FINISHED)
			left[o->at == PHASE_CONNECTING][o->cause] += o->count;
	}
	for (unsigned i = 0; take_biggest(left, &k) > 0; i++) {
		if (i >= KINDS_NAMED) {
			others += k.count;
			continue;
		}
		if (s->len > begin)
			say(s, ", ");
		say_kind(s, &k);
	}
	if (others > 0)
		say(s, ", %llu otherwise", (unsigned long long)others);
	if (b->all.unfinished > 0)
		say(s, "%s%llu message%s unfinished", s->len > begin ? ", " : "",
		    (unsigned long long)b->all.unfinished, plural(b->all.unfinished));
}

/* Targets that the sum hides. */
static void say_targets(struct sentence *s, const struct result *r)
{
	char text[RESULT_REASON_MAX / 2];

	targets_say(r, text, sizeof(text));
	say(s, "%s", text);
}

/* What would help, where that is known. */
static void say_help(struct sentence *s, const struct result *r)
{
	const struct books *b = &r->books;

	for (unsigned i = 0; i < b->outcome_count; i++) {
		if (b->outcomes[i].cause != CAUSE_LOCAL_LIMIT ||
		    b->outcomes[i].err != EADDRNOTAVAIL)
			continue;
		say(s, r->config->source.count > 0
			       ? ": no local port was free on the addresses of --source, or one is "
				 "not this host's"
			       : ": no local port was free, --source can add addresses");
		return;
	}
}

/* Whether no connection was made, and only for want of something on this side. */
static bool only_local_limits(const struct books *b)
{
	uint64_t local = 0;

	for (unsigned i = 0; i < b->outcome_count; i++)
		local += cause_exit_code(b->outcomes[i].cause) == EXIT_ENVIRONMENT
				 ? b->outcomes[i].count
				 : 0;
	return b->established == 0 && b->failed > 0 && local == b->failed;
}

static int judge_interrupted(const struct result *r, struct sentence *s)
{
	const char *name = sigabbrev_np(r->interrupted_by);

	if (name)
		say(s, "interrupted by SIG%s", name);
	else
		say(s, "interrupted");
	if (books_errors(&r->books) > 0) {
		say(s, "; ");
		say_errors(s, &r->books);
	}
	return 128 + r->interrupted_by;
}

static int judge_silence(const struct result *r, struct sentence *s)
{
	const struct books *b = &r->books;

	say(s, "not one echo: ");
	if (b->attempts == 0)
		say(s, "no connection was attempted");
	else if (b->all.sent == 0 && books_errors(b) == 0)
		say(s, "no message was sent");
	else
		say_errors(s, b);
	return EXIT_NO_ANSWER;
}

static int judge_nothing_measured(const struct result *r, struct sentence *s)
{
	const struct books *b = &r->books;

	if (b->measured.sent == 0)
		say(s, "nothing was measured: all %llu messages were sent in the warm-up",
		    (unsigned long long)b->all.sent);
	else
		say(s, "nothing was measured: none of %llu messages after the warm-up was echoed",
		    (unsigned long long)b->measured.sent);
	return EXIT_INCONCLUSIVE;
}

/* Whether more than 1 % of what was asked for never happened. */
static bool fell_short(double reached, double asked)
{
	return (asked - reached) * 100 > asked;
}

/* How many connections have something to do: all, unless there are fewer messages. */
static uint64_t connections_asked(const struct load_config *c)
{
	uint64_t n = c->connections;

	if (c->messages > 0)
		n = size_min(n, c->messages);
	return n + c->idle;
}

static bool never_opened(const struct result *r)
{
	return fell_short((double)r->books.reached, (double)connections_asked(r->config));
}

static int judge_never_opened(const struct result *r, struct sentence *s)
{
	const struct load_config *c = r->config;

	say(s, "only %llu of %llu connections were ever open", (unsigned long long)r->books.reached,
	    (unsigned long long)connections_asked(c));
	if (c->idle > 0)
		say(s, ", those of --idle included");
	say_targets(s, r);
	if (c->connect_rate > 0)
		say(s, "; --connect-rate is %u each second", c->connect_rate);
	return EXIT_INCONCLUSIVE;
}

/* "this client could not run for 91% of its time: its CPU quota was used up" */
static void say_starved(struct sentence *s, const struct result *r)
{
	const char *why = bottleneck_reason_text(r->bottleneck_reason);

	say(s, "this client could not run for %.0f%% of its time",
	    100 * bottleneck_starved_share(r));
	if (r->bottleneck == BOTTLENECK_CLIENT && *why)
		say(s, ": %s", why);
}

static bool is_starved(const struct result *r)
{
	return bottleneck_starved_share(r) > starved_from;
}

/* What else was asked for and did not happen; nothing if all did. */
static void say_shortfalls(struct sentence *s, const struct result *r)
{
	const struct load_config *c = r->config;
	const struct books *b = &r->books;
	const int64_t span_ns = r->measure_end_ns - r->measure_begin_ns;
	const bool timed = c->messages == 0 && c->gate == 0;
	char is[UNITS_MAX], asked[UNITS_MAX];

	if (b->planned < c->messages)
		say(s, "only %llu of %llu messages were sent: no connection was left",
		    (unsigned long long)b->planned, (unsigned long long)c->messages);
	if (timed && fell_short((double)span_ns, (double)c->duration))
		say(s, "only %s of %s were measured: no connection was left",
		    units_time(span_ns, 3, is), units_time(c->duration, 3, asked));
	if (timed && c->churn > 0 && b->established <= b->reached)
		say(s,
		    "%sno connection came to the %llu message%s of --churn: none was made anew, "
		    "each had %.0f",
		    s->len ? "; " : "", (unsigned long long)c->churn, plural(c->churn),
		    (double)b->all.sent / (double)b->established);
}

static int judge_late(const struct result *r, struct sentence *s)
{
	say(s, "the generator was overloaded: %llu of %llu sends were more than 1 ms late",
	    (unsigned long long)r->late_sends, (unsigned long long)r->lateness->count);
	if (is_starved(r)) {
		say(s, "; ");
		say_starved(s, r);
	}
	return EXIT_INCONCLUSIVE;
}

/* Errors while this program was paused, or just after, prove nothing: a peer gives such a client
 * up. */
static int judge_errors(const struct result *r, struct sentence *s)
{
	char paused[UNITS_MAX];

	say_errors(s, &r->books);
	say_targets(s, r);
	say_help(s, r);
	if (!bottleneck_explains_errors(r))
		return EXIT_VERDICT;
	say(s, "; but this client had just been paused, %s in all",
	    units_time(r->pauses.total_ns, 3, paused));
	return EXIT_INCONCLUSIVE;
}

static int judge_starved(const struct result *r, struct sentence *s)
{
	say_starved(s, r);
	return EXIT_INCONCLUSIVE;
}

static void say_over(struct sentence *s, const char *what, int64_t ns, int64_t limit_ns)
{
	char is[UNITS_MAX], limit[UNITS_MAX];

	say(s, "%s%s %s, over the limit of %s", s->len ? "; " : "", what, units_time(ns, 3, is),
	    units_time(limit_ns, 3, limit));
}

/* All outages together, each until service was back or the run was over. */
static int64_t downtime_ns(const struct result *r)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < r->outage_count; i++) {
		const struct outage *o = &r->outages[i];

		sum += (o->recovered_ns < 0 ? r->duration_ns : o->recovered_ns) - o->begin_ns;
	}
	return sum;
}

/* Whether more than 1 % of an open loop found no connection free, outages left out: what is missed
 * while the target is down says nothing of what it could do. */
static bool rate_was_missed(const struct result *r)
{
	const double down = r->config->rate * (double)downtime_ns(r) / 1e9;
	const struct books *b = &r->books;

	return ((double)b->missed - down) * 100 > (double)b->planned;
}

static int judge_missed(const struct result *r, struct sentence *s)
{
	say(s,
	    "the rate of %.10g/s was not reached: %llu of %llu messages found no connection free "
	    "in their time; ",
	    r->config->rate, (unsigned long long)r->books.missed,
	    (unsigned long long)r->books.planned);
	if (is_starved(r))
		say_starved(s, r);
	else
		say(s, "the target is too slow for it, or -c times -p too small");
	return EXIT_INCONCLUSIVE;
}

/* Every limit that was missed; nothing if none was. */
static void say_limits(struct sentence *s, const struct result *r)
{
	const struct load_config *c = r->config;
	int64_t p99_ns = hist_percentile(r->latency, 99);
	double rate = result_rate(r);

	if (c->max_p99 > 0 && p99_ns > c->max_p99)
		say_over(s, "p99", p99_ns, c->max_p99);
	if (c->max_downtime > 0 && downtime_ns(r) > c->max_downtime)
		say_over(s, "downtime", downtime_ns(r), c->max_downtime);
	if (c->min_rate > 0 && rate < c->min_rate)
		say(s, "%s%.0f echoes/s, under the limit of %.0f", s->len ? "; " : "", rate,
		    c->min_rate);
}

/* Whether what kept this client from running can explain every limit that was missed. A rate grows
 * at most by the time that was missing. The shortest latency has no wait in it: when even that is
 * over the limit, the limit is missed for certain. A downtime is too long by the pauses at most. */
static bool limits_are_in_doubt(const struct result *r)
{
	const struct load_config *c = r->config;
	const double ran = 1 - bottleneck_starved_share(r);

	if (c->max_p99 > 0 && hist_percentile(r->latency, 99) > c->max_p99 &&
	    (!is_starved(r) || r->latency->min > c->max_p99))
		return false;
	if (c->max_downtime > 0 && downtime_ns(r) > c->max_downtime &&
	    downtime_ns(r) - r->pauses.total_ns > c->max_downtime)
		return false;
	return result_rate(r) >= c->min_rate * ran; /* 0: no limit */
}

/* Limits were missed, and the sentence says which. */
static int judge_limits(const struct result *r, struct sentence *s)
{
	if (!limits_are_in_doubt(r))
		return EXIT_VERDICT;
	say(s, "; but ");
	say_starved(s, r);
	return EXIT_INCONCLUSIVE;
}

/* The first exit code that fits, with the words for it. */
static int judge(const struct result *r, struct sentence *s)
{
	const struct books *b = &r->books;
	const char *broken = result_check(r);
	uint64_t errors = books_errors(b) + b->all.unfinished;

	if (broken) {
		say(s, "a bug in echoload, its books do not balance: %s", broken);
		return EXIT_INTERNAL;
	}
	if (only_local_limits(b)) {
		say(s, "this machine could make no connection: ");
		say_errors(s, b);
		say_help(s, r);
		return EXIT_ENVIRONMENT;
	}
	if (r->interrupted)
		return judge_interrupted(r, s);
	if (b->all.echoed == 0)
		return judge_silence(r, s);
	if (errors > r->config->max_errors && !r->config->ignore_errors)
		return judge_errors(r, s);
	if (b->measured.echoed == 0)
		return judge_nothing_measured(r, s);
	if (never_opened(r))
		return judge_never_opened(r, s);
	if (r->late_sends * 100 > r->lateness->count)
		return judge_late(r, s);
	if (bottleneck_spoils(r))
		return judge_starved(r, s);
	say_limits(s, r);
	if (s->len)
		return judge_limits(r, s);
	say_shortfalls(s, r);
	if (s->len)
		return EXIT_INCONCLUSIVE;
	if (rate_was_missed(r))
		return judge_missed(r, s);
	say(s, "ok");
	if (errors) {
		say(s, r->config->ignore_errors ? ", errors ignored: " : ", within --max-errors: ");
		say_errors(s, b);
		say_targets(s, r);
	}
	return EXIT_OK;
}

void verdict(struct result *r)
{
	struct sentence s = { .len = 0 };

	r->exit_code = judge(r, &s);
	snprintf(r->exit_reason, sizeof(r->exit_reason), "%s", s.text);
	assert(r->exit_reason[0]);
}

/* In which the worse one stands first. */
static const int codes[] = { EXIT_INTERNAL,     EXIT_USAGE,   EXIT_ENVIRONMENT, EXIT_SIGHUP,
			     EXIT_SIGINT,       EXIT_SIGTERM, EXIT_NO_ANSWER,   EXIT_VERDICT,
			     EXIT_INCONCLUSIVE, EXIT_OK };

bool verdict_known(int64_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (code == codes[i])
			return true;
	}
	return false;
}

int verdict_of_two(int a, int b)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (a == codes[i] || b == codes[i])
			return codes[i];
	}
	return a > b ? a : b;
}
