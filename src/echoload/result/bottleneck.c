/* SPDX-License-Identifier: MIT
 * bottleneck: arithmetic on what was measured. A thread is on a CPU, waits for one, is paused with
 * its whole program, or sleeps or looks for events, since it has nothing to do. Only the last is
 * the target's.
 */
#include "bottleneck.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echoload/options/opts.h"
#include "result.h"

/* From here on a thread is said to be busy, or idle; between them nobody is to blame alone. */
static const double busy_from = 0.95, idle_from = 0.2;

/* What is kept from us for as much of the time limits us, however idle we were in the rest. */
static const double starved_from = 0.5;

/* How much of what was measured may be paused, or throttled, before it means nothing. */
static const double paused_spoils = 0.1, throttled_spoils = 0.75;

/* Ends that a pause has caused are seen so long after it at most: connections are told apart one
 * after the other, on a CPU that others use too. */
static const int64_t aftermath_ns = MSEC(500);

struct shares {
	double busy, waiting, paused, stolen;
};

static double share(double part, double of)
{
	return of > 0 && part > 0 ? fmin(1, part / of) : 0;
}

static double processes_of(const struct result *r)
{
	return r->processes > 0 ? r->processes : 1;
}

static struct shares shares_of(const struct result *r)
{
	const double took = (double)r->duration_ns, threads = took * r->threads;
	const double processes = processes_of(r); /* steal and pauses are of each */
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	/* who looks for something to do has nothing to do */
	return (struct shares){
		.busy = share((double)(r->cpu_ns - r->busy_poll_ns), threads),
		.waiting = share((double)r->wait_ns, threads),
		.paused = share((double)r->pauses.total_ns, took * processes),
		.stolen = share((double)r->steal_ns,
				took * processes * (double)(cpus > 0 ? cpus : 1)),
	};
}

/* Whether the wait is mostly that for a quota. */
static bool is_throttled(const struct result *r)
{
	return r->throttled > 0 && r->throttled_ns * 2 > r->wait_ns;
}

static enum bottleneck_reason biggest(const struct result *r, const struct shares *s)
{
	double most = fmax(fmax(s->busy, s->waiting), fmax(s->paused, s->stolen));

	if (most == s->paused)
		return REASON_PAUSED;
	if (most == s->waiting)
		return is_throttled(r) ? REASON_THROTTLED : REASON_WAITING;
	return most == s->stolen ? REASON_STOLEN : REASON_BUSY;
}

/* What this host had too little of to make all connections; REASON_MIXED: nothing. */
static enum bottleneck_reason shortage(const struct result *r)
{
	const struct books *b = &r->books;

	for (unsigned i = 0; i < b->outcome_count; i++) {
		const struct outcome *o = &b->outcomes[i];

		if (o->cause != CAUSE_LOCAL_LIMIT)
			continue;
		if (o->err == EADDRNOTAVAIL)
			return REASON_PORTS;
		if (o->err == EMFILE || o->err == ENFILE)
			return REASON_DESCRIPTORS;
		if (o->err == ENOMEM || o->err == ENOBUFS)
			return REASON_MEMORY;
	}
	return REASON_MIXED;
}

static enum bottleneck_reason reason_of(const struct result *r)
{
	const struct shares s = shares_of(r);
	const double kept = s.waiting + s.paused + s.stolen;
	enum bottleneck_reason missing = shortage(r);

	if (missing != REASON_MIXED)
		return missing;
	if (s.paused > paused_spoils)
		return REASON_PAUSED;
	if (s.busy + kept > busy_from || kept > starved_from)
		return biggest(r, &s);
	if (r->late_sends * 100 > r->lateness->count)
		return REASON_LATE;
	return 1 - s.busy - kept > idle_from ? REASON_IDLE : REASON_MIXED;
}

void bottleneck_find(struct result *r)
{
	r->bottleneck_reason = reason_of(r);
	r->bottleneck = r->bottleneck_reason == REASON_MIXED  ? BOTTLENECK_UNKNOWN
			: r->bottleneck_reason == REASON_IDLE ? BOTTLENECK_SERVER
							      : BOTTLENECK_CLIENT;
}

double bottleneck_starved_share(const struct result *r)
{
	const struct shares s = shares_of(r);

	return fmin(1, s.waiting + s.paused + s.stolen);
}

bool bottleneck_explains_errors(const struct result *r)
{
	const struct books *b = &r->books;

	if (r->pauses.count == 0)
		return false;
	for (unsigned i = 0; i < b->outcome_count; i++) {
		const struct outcome *o = &b->outcomes[i];

		if (o->cause != CAUSE_FINISHED &&
		    (!pauses_explain(&r->pauses, o->first_ns, aftermath_ns) ||
		     !pauses_explain(&r->pauses, o->last_ns, aftermath_ns)))
			return false;
	}
	return b->all.unfinished == 0 || pauses_explain(&r->pauses, r->duration_ns, aftermath_ns);
}

bool bottleneck_spoils(const struct result *r)
{
	const double span = (double)(r->measure_end_ns - r->measure_begin_ns) * processes_of(r);
	const double paused =
		(double)pauses_between(&r->pauses, r->measure_begin_ns, r->measure_end_ns);

	return share(paused, span) > paused_spoils ||
	       (is_throttled(r) && shares_of(r).waiting > throttled_spoils);
}

static const struct {
	const char *name, *text;
} reasons[] = {
	[REASON_MIXED] = { "mixed", "" },
	[REASON_IDLE] = { "idle", "" },
	[REASON_BUSY] = { "busy", "" },
	[REASON_WAITING] = { "waiting", "it waited for a CPU" },
	[REASON_THROTTLED] = { "throttled", "its CPU quota was used up" },
	[REASON_PAUSED] = { "paused", "it was paused" },
	[REASON_STOLEN] = { "stolen", "the hypervisor took its CPUs" },
	[REASON_LATE] = { "late", "it sent late" },
	[REASON_PORTS] = { "ports", "no local port was free" },
	[REASON_DESCRIPTORS] = { "descriptors", "no descriptor was free" },
	[REASON_MEMORY] = { "memory", "its kernel had no memory for sockets" },
};
static_assert(ARRAY_LEN(reasons) == REASONS, "every reason has a name");

const char *bottleneck_reason_name(enum bottleneck_reason r)
{
	assert(r < REASONS);
	return reasons[r].name;
}

const char *bottleneck_reason_text(enum bottleneck_reason r)
{
	assert(r < REASONS);
	return reasons[r].text;
}
