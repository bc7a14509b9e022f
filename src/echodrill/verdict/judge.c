/* SPDX-License-Identifier: MIT
 * judge: faults first, then what was waited for, then the expectations.
 */
#include "judge.h"

#include <assert.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "echo/base/base.h"
#include "echo/base/cause.h"
#include "echo/base/program.h"
#include "echo/base/units.h"
#include "echodrill/script/expect.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/notice.h"
#include "echodrill/stage/run.h"
#include "knew.h"
#include "observe.h"

/* A timer that is later than this, or a program that waited longer for a CPU, makes upper bounds of
 * times worthless, and one that is later than the second everything: requests are acknowledged
 * before they are answered, retransmissions overtake steps. */
static const int64_t late_ns = MSEC(20), too_late_ns = MSEC(150), measured_late_ns = SEC(2);

static const char *const ruling_words[] = {
	[RULING_OK] = "",    [RULING_NO] = "",      [RULING_LATE] = ", but this machine was late",
	[RULING_DOUBT] = "", [RULING_SKIPPED] = "",
};

const char *judge_verdict_name(enum verdict v)
{
	static const char *const names[] = { "pass", "skipped", "inconclusive", "fail" };

	assert(v < ARRAY_LEN(names));
	return names[v];
}

int judge_exit(const unsigned counts[4])
{
	if (counts[VERDICT_FAIL] > 0)
		return EXIT_VERDICT;
	if (counts[VERDICT_INCONCLUSIVE] > 0)
		return EXIT_INCONCLUSIVE;
	return counts[VERDICT_PASS] > 0 ? EXIT_OK : EXIT_SKIPPED;
}

static struct finding *found(struct judgement *j, enum ruling ruling)
{
	struct finding *f = &j->at[j->count];

	assert(j->count < FINDINGS_MAX);
	j->count++;
	f->ruling = ruling;
	return f;
}

static struct finding *found_step(struct judgement *j, enum ruling ruling, unsigned nth)
{
	struct finding *f = found(j, ruling);

	f->of = FINDING_OF_STEP;
	f->nth = nth;
	return f;
}

/* How late this machine was: the timer beside the programs, or they themselves, which may share a
 * CPU with others while the timer has one of its own, or the wire, for whatever reason. */
static int64_t late_by(const struct record *rec)
{
	const int64_t by_ns[] = { atomic_load(&rec->canary_ns), rec->wait_ns,
				  atomic_load(&rec->wire.late_ns) };
	int64_t most_ns = 0;

	for (size_t i = 0; i < ARRAY_LEN(by_ns); i++)
		if (by_ns[i] > most_ns)
			most_ns = by_ns[i];
	return most_ns;
}

static bool was_late(const struct run *r, int64_t matters_ns)
{
	return late_by(r->record) > matters_ns;
}

static void judge_fault(const struct run *r, unsigned nth, struct judgement *j)
{
	const struct step *s = &r->drill->step.at[nth];
	const struct outcome *o = &r->record->outcome[nth];
	bool active = o->faulted && o->active && o->shown[0];
	struct finding *f = found_step(j, active ? RULING_OK : RULING_DOUBT, nth);

	snprintf(f->what, sizeof(f->what), "fault %.200s", s->text);
	snprintf(f->expected, sizeof(f->expected), "is active");
	snprintf(f->observed, sizeof(f->observed), "%s",
		 active        ? o->shown
		 : !o->faulted ? "not reached"
		 : o->doubt[0] ? o->doubt
			       : "nothing shows it");
}

/* Whether the drill says what it means that a program misses this step. */
static bool is_explained(const struct run *r, unsigned nth)
{
	const struct missed_list *l = &r->drill->step_missed;

	for (unsigned i = 0; i < l->count; i++)
		if (l->at[i].nth == nth)
			return true;
	return false;
}

/* How many times as long as this machine was late a step must have been waited for. A step that is
 * explained, or timeless, has a limit with room for that. A load that was calm for so long has a
 * limit of its own for each answer, a third of it. */
static int64_t late_part(const struct run *r, unsigned nth)
{
	if (r->drill->step.at[nth].verb == &verb_calm)
		return 3;
	return is_explained(r, nth) || r->drill->timeless ? 10 : 50;
}

static void judge_await(const struct run *r, unsigned nth, struct judgement *j)
{
	const struct step *s = &r->drill->step.at[nth];
	const struct outcome *o = &r->record->outcome[nth];
	enum ruling ruling = o->came ? RULING_OK : RULING_NO;
	char text[UNITS_MAX];
	struct finding *f;

	if (!o->waited && !o->noticing)
		return;
	if (!o->came && s->limit_ns > 0 && was_late(r, s->limit_ns / late_part(r, nth)))
		ruling = RULING_LATE;
	if (!o->came && o->noticing) /* when it notices is for the expectations */
		ruling = RULING_SKIPPED;
	f = found_step(j, ruling, nth);
	snprintf(f->what, sizeof(f->what), "%.200s", o->noticing ? "the client notices" : s->text);
	if (s->verb == &verb_start || s->verb == &verb_calm)
		snprintf(f->expected, sizeof(f->expected),
			 s->verb == &verb_start ? "again" : "all the time");
	else
		snprintf(f->expected, sizeof(f->expected), "within %s",
			 units_time(s->limit_ns, 3, text));
	units_time(o->took_ns, 3, text);
	snprintf(f->observed, sizeof(f->observed), o->came ? "after %s" : "not within %s", text);
	if (o->doubt[0])
		snprintf(f->observed, sizeof(f->observed), "%s", o->doubt);
}

/* What the drill did not do, or did not wait for, because a program is not ours. */
static void judge_left_out(const struct run *r, unsigned nth, struct judgement *j)
{
	struct finding *f;

	if (!r->record->outcome[nth].foreign || r->record->outcome[nth].noticing)
		return;
	f = found_step(j, RULING_SKIPPED, nth);
	snprintf(f->what, sizeof(f->what), "%s", r->drill->step.at[nth].text);
	snprintf(f->expected, sizeof(f->expected), "is for our program");
	snprintf(f->observed, sizeof(f->observed), "left out: somebody else's has its place");
}

/* @negate: what holds is wrong, and the other way round. */
static void rule(const struct run *r, struct finding *f, enum held held, bool negate)
{
	bool yes = (held == HELD_YES) != negate;

	f->ruling = yes ? RULING_OK : RULING_NO;
	if (held == HELD_LATE && was_late(r, late_ns))
		f->ruling = RULING_LATE;
}

/* What a drill expects of our client's connections, and as many as it makes, holds for another
 * client's if it holds for any: how many it makes is its own affair. So is with which exit code it
 * says that it failed. Returns what is to be compared. */
static struct expect expect_of_any(const struct run *r, const struct expect *e)
{
	static const char *const counted[] = { "state.", "unread.", "unsent.", "backlog.",
					       "wire." };
	struct expect any = *e;

	if (run_has_words(r, WHO_CLIENT) || e->op != EXPECT_EQ || e->is_text || e->is_time ||
	    e->low < 1)
		return any;
	for (size_t i = 0; i < ARRAY_LEN(counted); i++)
		if (strncmp(e->what, counted[i], strlen(counted[i])) == 0) {
			any.op = EXPECT_GE;
			any.low = any.high = 1;
		}
	if (strcmp(e->what, "client.exit") == 0) {
		any.op = EXPECT_NE;
		any.low = any.high = 0;
	}
	return any;
}

/* Another client that notices may end at once: no signal of a later step can end it then, and it
 * has closed its connection. */
static bool ended_by_itself(const struct run *r, const struct expect *e)
{
	const struct ending *client = &r->record->ending[WHO_CLIENT];
	const bool about = strcmp(e->what, "client.signal") == 0 || strstr(e->what, ".c2s.fin");

	return !run_has_words(r, WHO_CLIENT) && about && notice_first(r->record) && client->ended &&
	       observe_signal(r, WHO_CLIENT) == 0;
}

static void judge_expect(const struct run *r, unsigned nth, bool negate, struct judgement *j)
{
	const struct expect *e = &r->drill->expect.at[nth];
	const struct expect any = expect_of_any(r, e);
	struct finding *f = found(j, RULING_OK);
	struct seen seen;

	f->of = FINDING_OF_EXPECT;
	f->nth = nth;
	if (observe(r, e->what, &seen) > 0 || ended_by_itself(r, e))
		f->ruling = RULING_SKIPPED;
	else if (seen.kind == SEEN_UNKNOWN)
		f->ruling = RULING_DOUBT;
	else
		rule(r, f, expect_holds(&any, &seen), negate);
	snprintf(f->what, sizeof(f->what), "%s", e->what);
	snprintf(f->expected, sizeof(f->expected), "%s%.100s%s", negate ? "not " : "",
		 e->text + strlen(e->what) + 1,
		 any.op == e->op       ? ""
		 : any.op == EXPECT_NE ? " (ours; not 0)"
				       : " (ours; at least 1)");
	snprintf(f->observed, sizeof(f->observed), "%s", seen.text);
}

static void __attribute__((format(printf, 3, 4)))
conclude(struct judgement *j, enum verdict v, const char *fmt, ...)
{
	va_list args;

	j->verdict = v;
	va_start(args, fmt);
	vsnprintf(j->reason, sizeof(j->reason), fmt, args);
	va_end(args);
}

static const struct finding *first_of(const struct judgement *j, enum ruling ruling)
{
	for (unsigned i = 0; i < j->count; i++)
		if (j->at[i].ruling == ruling)
			return &j->at[i];
	return NULL;
}

/* Whether the steps came to their end. Else what is expected of the whole was not reached, which in
 * a timeless drill counts as nothing that the programs have done. */
static bool steps_came(const struct run *r, const struct judgement *j)
{
	return !r->drill->timeless || (!first_of(j, RULING_LATE) && !first_of(j, RULING_NO));
}

static void conclude_finding(struct judgement *j, enum verdict v, const struct finding *f)
{
	conclude(j, v, "%.100s %.60s: %.90s%s", f->what, f->expected, f->observed,
		 ruling_words[f->ruling]);
}

/* The drill did not come to its end, or something that it needs went wrong. */
static void judge_trouble(const struct record *rec, struct judgement *j)
{
	const char *why = rec->problem;
	bool skipped = rec->environment;

	if (!rec->complete) {
		why = rec->why.text[0] ? rec->why.text : rec->problem;
		skipped = why[0];
	}
	conclude(j, skipped ? VERDICT_SKIPPED : VERDICT_INCONCLUSIVE, "%s",
		 why[0] ? why : "it did not come to its end");
}

/* A client that has crashed before anything happened to its server; 0: it has not. */
static int crashed_by(const struct run *r)
{
	const struct record *rec = r->record;
	const struct ending *client = &rec->ending[WHO_CLIENT];
	const struct mark *fault = record_mark(rec, "fault");
	const bool counts = rec->complete && client->ended && !run_has_words(r, WHO_CLIENT);
	const int by = counts ? observe_signal(r, WHO_CLIENT) : 0;
	const bool bug =
		by == SIGSEGV || by == SIGABRT || by == SIGBUS || by == SIGILL || by == SIGFPE;

	return bug && (!fault || client->t_ns < fault->begin_ns) ? by : 0;
}

/* The first step that a program missed, where the drill says what that means or that time means
 * nothing: the fault behind it was not reached because of the program, and its limit had room for a
 * late machine. */
static const struct finding *missed_step(const struct run *r, const struct judgement *j)
{
	const struct finding *no = first_of(j, RULING_NO);

	return no && no->of == FINDING_OF_STEP && (is_explained(r, no->nth) || r->drill->timeless)
		       ? no
		       : NULL;
}

/* What keeps a verdict open before anything else counts: a late machine where nothing else excuses,
 * or a fault that may not have happened, unless the program missed a step before it. */
static const struct finding *left_open(const struct run *r, const struct judgement *j)
{
	const struct finding *doubt = first_of(j, RULING_DOUBT), *late = first_of(j, RULING_LATE);
	const struct finding *missed = missed_step(r, j);

	if (late && r->drill->timeless && (!doubt || late < doubt))
		return late;
	return doubt && (!missed || doubt < missed) ? doubt : NULL;
}

/* The first of these rules that applies. @negate: what was turned round is wrong however late the
 * machine was. */
static void judge_verdict(const struct run *r, bool negate, struct judgement *j)
{
	const struct record *rec = r->record;
	const struct finding *no = first_of(j, RULING_NO), *late = first_of(j, RULING_LATE);
	const struct finding *open = left_open(r, j), *missed = missed_step(r, j);
	const bool measures = r->drill->group == GROUP_PROGRAM; /* for a minute */
	const unsigned lost = rec->timeline.lost - rec->timeline.lost_frames;
	unsigned dropped = atomic_load(&rec->wire.dropped);
	char late_text[UNITS_MAX];

	if (crashed_by(r))
		conclude(j, VERDICT_FAIL, "the client has crashed before the fault: SIG%s",
			 sigabbrev_np(crashed_by(r)));
	else if (!record_sound(rec))
		judge_trouble(rec, j);
	else if (lost > 0)
		conclude(j, VERDICT_INCONCLUSIVE, "the timeline had no room for %u events", lost);
	else if (open)
		conclude_finding(j, VERDICT_INCONCLUSIVE, open);
	else if (no && dropped > 0 && !measures)
		conclude(j, VERDICT_INCONCLUSIVE, "the wire had no room for %u frames", dropped);
	else if (no && !negate && !missed && !r->drill->timeless &&
		 was_late(r, measures ? measured_late_ns : too_late_ns))
		conclude(j, VERDICT_INCONCLUSIVE, "%.100s: %.90s, but this machine was late by %s",
			 no->what, no->observed, units_time(late_by(rec), 3, late_text));
	else if (no)
		conclude_finding(j, VERDICT_FAIL, no);
	else if (late)
		conclude_finding(j, VERDICT_INCONCLUSIVE, late);
	else
		conclude(j, VERDICT_PASS, "%s", "");
}

/* What [means] says of the detector that this run has. */
static enum held notice_holds(const struct detector_notice *c, const struct seen *s,
			      const struct judgement *j)
{
	const struct expect when = { .op = EXPECT_IN, .low = c->low, .high = c->high };

	if (c->never)
		return j->knew_ns < 0 ? HELD_YES : HELD_NO;
	if (j->knew_ns < 0 || strcmp(c->cause, j->knew) != 0)
		return HELD_NO;
	return expect_holds(&when, s);
}

static void judge_detector(const struct run *r, const struct seen *s, bool negate,
			   struct judgement *j)
{
	const struct detector *detector = r->options->detector;
	const struct detector_notice *c = &r->drill->detector[detector - detectors];
	struct finding *f = found(j, RULING_OK);

	if (run_is_foreign(r, WHO_CLIENT)) {
		f->ruling = RULING_SKIPPED;
	} else {
		rule(r, f, notice_holds(c, s, j), negate);
	}
	snprintf(f->what, sizeof(f->what), "the client knows, with %s,", detector->name);
	snprintf(f->expected, sizeof(f->expected), "%s%s", negate ? "not " : "", c->text);
	snprintf(f->observed, sizeof(f->observed), "%.60s %.60s", s->text,
		 j->knew_ns >= 0 ? j->knew : "");
}

/* A drill for any client measures: that nothing was noticed is a result as well, unless somebody
 * asks whether it notices (probe). */
static void judge_measured(const struct run *r, const struct seen *s, struct judgement *j)
{
	const bool missed = r->options->must_notice && j->knew_ns < 0;
	struct finding *f = found(j, missed ? RULING_NO : RULING_OK);

	snprintf(f->what, sizeof(f->what), "the client notices");
	snprintf(f->expected, sizeof(f->expected), "when it does");
	snprintf(f->observed, sizeof(f->observed), "%.60s %.60s", s->text,
		 j->knew_ns >= 0 ? j->knew : "");
}

void judge(const struct run *r, unsigned negate, struct judgement *j)
{
	const struct drill *d = r->drill;
	bool whole = false;
	struct seen knew;

	memset(j, 0, sizeof(*j));
	j->knew_ns = -1;
	if (r->record->complete) {
		for (unsigned i = 0; i < d->step.count; i++) {
			if (d->step.at[i].fault)
				judge_fault(r, i, j);
			judge_await(r, i, j);
			judge_left_out(r, i, j);
		}
		whole = steps_came(r, j);
		for (unsigned i = 0; i < d->expect.count && whole; i++)
			judge_expect(r, i, negate == i + 1, j);
		knew = knew_first(r, j);
		if (d->group == GROUP_PROGRAM)
			judge_measured(r, &knew, j);
		if (r->options->detector)
			judge_detector(r, &knew, negate == d->expect.count + 1, j);
	}
	judge_verdict(r, negate > 0, j);
}
