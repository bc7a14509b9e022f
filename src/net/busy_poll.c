/* SPDX-License-Identifier: MIT
 * busy_poll: see busy_poll.h.
 */
#include "echo/net/busy_poll.h"

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/worker.h"

enum {
	LOOK_US = 50, /* `auto`: being woken takes less */
	SLICE_MS = 5, /* of a trial, in which each way has two, by turns */
	SLICES = 4,
	PAUSE_MIN_MS = 100, /* between two trials; each that changes nothing doubles it */
	PAUSE_MAX_MS = 6400,
	MISSES_MAX = 16,
	/* To begin with looking, it has to be this much better; to go on, no worse. */
	RATE_BEGIN_PERCENT = 105,
	RATE_STAY_PERCENT = 100,
	CPU_BEGIN_PERCENT = 100,
	CPU_STAY_PERCENT = 103,
};

/* Whether looking passes on more bytes a second, for no more CPU time a byte. */
static bool pays(const struct busy_poll *b)
{
	const struct busy_poll_seen *asleep = &b->seen[false], *awake = &b->seen[true];
	const double rate = b->looks ? RATE_STAY_PERCENT : RATE_BEGIN_PERCENT,
		     cpu = b->looks ? CPU_STAY_PERCENT : CPU_BEGIN_PERCENT;

	if (asleep->bytes == 0 || awake->bytes == 0)
		return false;
	return 100 * (double)awake->bytes * (double)asleep->ns >=
		       rate * (double)asleep->bytes * (double)awake->ns &&
	       100 * (double)awake->cpu_ns * (double)asleep->bytes <=
		       cpu * (double)asleep->cpu_ns * (double)awake->bytes;
}

static void pause_begin(struct busy_poll *b, int64_t now_ns)
{
	b->slice = 0;
	b->misses = 0;
	b->looking = b->looks;
	b->due_ns = now_ns + b->pause_ns;
}

static void slice_begin(struct busy_poll *b, int64_t now_ns, uint64_t bytes, int64_t cpu_ns)
{
	b->slice++;
	b->misses = 0;
	b->looking = b->slice % 2 == 0;
	b->due_ns = now_ns + MSEC(SLICE_MS);
	b->begun_ns = now_ns;
	b->begun_cpu_ns = cpu_ns;
	b->begun_bytes = bytes;
}

static void slice_end(struct busy_poll *b, int64_t now_ns, uint64_t bytes, int64_t cpu_ns)
{
	struct busy_poll_seen *seen = &b->seen[b->slice % 2 == 0];

	seen->ns += now_ns - b->begun_ns;
	seen->cpu_ns += cpu_ns - b->begun_cpu_ns;
	seen->bytes += bytes - b->begun_bytes;
}

static void trial_end(struct busy_poll *b, int64_t now_ns)
{
	const bool looks = pays(b);

	b->pause_ns = looks == b->looks && b->pause_ns < MSEC(PAUSE_MAX_MS) ? 2 * b->pause_ns
		      : looks == b->looks                                   ? b->pause_ns
									    : MSEC(PAUSE_MIN_MS);
	b->looks = looks;
	pause_begin(b, now_ns);
}

void busy_poll_turned(struct busy_poll *b, int64_t now_ns, uint64_t bytes, int64_t (*cpu_ns)(void))
{
	int64_t cpu;

	if (now_ns < b->due_ns)
		return;
	if (b->pause_ns == 0 || (b->slice > 0 && now_ns > b->due_ns + MSEC(SLICE_MS))) {
		/* the beginning, or a slice in which nothing came for long */
		b->pause_ns = MSEC(PAUSE_MIN_MS);
		pause_begin(b, now_ns);
		return;
	}
	cpu = cpu_ns();
	if (b->slice > 0)
		slice_end(b, now_ns, bytes, cpu);
	else
		b->seen[false] = b->seen[true] = (struct busy_poll_seen){ 0 };
	if (b->slice < SLICES)
		slice_begin(b, now_ns, bytes, cpu);
	else
		trial_end(b, now_ns);
}

void busy_poll_looked(struct busy_poll *b, bool found)
{
	if (found && b->misses > 0)
		b->misses--;
	else if (!found && b->misses++ == MISSES_MAX)
		b->looks = b->looking = false;
}

int busy_poll_look(struct worker *w, int64_t wait_ns, int (*look)(struct worker *w))
{
	const bool adapts = w->config->busy_poll_ns == BUSY_POLL_AUTO;
	int64_t look_ns = w->config->busy_poll_ns, begin_ns, now_ns;
	int r;

	if (adapts)
		look_ns = w->busy_poll.looking ? USEC(LOOK_US) : 0;
	if (wait_ns >= 0 && wait_ns < look_ns)
		look_ns = wait_ns;
	if (look_ns == 0)
		return 0;
	begin_ns = now_ns = clock_now_ns();
	do {
		r = look(w);
		if (r == 0)
			now_ns = clock_now_ns();
	} while (r == 0 && now_ns - begin_ns < look_ns);
	w->busy_poll.looked_ns += now_ns - begin_ns;
	if (adapts)
		busy_poll_looked(&w->busy_poll, r > 0);
	return r;
}
