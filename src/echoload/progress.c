/* SPDX-License-Identifier: MIT
 * progress: reads the workers' relaxed counters and rewrites one line of standard error. It costs
 * the workers nothing: they keep these counters anyway.
 */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/units.h"
#include "echoload/engine/run.h"
#include "echoload/options/opts.h"

enum { EVERY_MS = 250 };

void progress_begin(struct progress *l, const struct run *run)
{
	*l = (struct progress){ .run = run, .shown_ns = run->shared.start_ns };
	progress_line_begin(&l->line, run->shared.config->progress);
}

int progress_wait_ms(const struct progress *l)
{
	return l->line.on ? EVERY_MS : -1;
}

/* "12.3s/60s", or how many of the messages are done. */
static void progress_done(const struct progress *l, int64_t now_ns, uint64_t echoed, char text[32])
{
	const struct load_run *s = &l->run->shared;

	if (s->config->messages)
		snprintf(text, 32, "%" PRIu64 "/%" PRIu64, echoed, s->config->messages);
	else
		snprintf(text, 32, "%.1fs/%.5gs", (double)(now_ns - s->start_ns) / 1e9,
			 (double)(s->end_ns - s->start_ns) / 1e9);
}

void progress_show(struct progress *l)
{
	int64_t now_ns = clock_now_ns(), ns = now_ns - l->shown_ns;
	uint64_t echoed = 0, errors = 0;
	char line[160], done[32], p99[UNITS_MAX] = "";

	if (!l->line.on || ns < MSEC(EVERY_MS) / 2)
		return;
	for (unsigned i = 0; i < l->run->group.count; i++) {
		echoed += stats_get(&l->run->loads[i].progress_echoed);
		errors += stats_get(&l->run->loads[i].progress_errors);
	}
	progress_done(l, now_ns, echoed, done);
	if (l->run->series.p99_ns > 0)
		units_time(l->run->series.p99_ns, 3, p99);
	snprintf(line, sizeof(line), "%.20s%s%s  %.0f/s  %u open  %" PRIu64 " error%s%s%s%s",
		 l->run->phase ? l->run->phase : "", l->run->phase ? "  " : "", done,
		 (double)(echoed - l->echoed) * 1e9 / (double)ns, atomic_load(&l->run->group.conns),
		 errors, errors == 1 ? "" : "s",
		 outage_open(&l->run->shared.outages) ? "  OUTAGE" : "", p99[0] ? "  p99 " : "",
		 p99);
	progress_line_show(&l->line, line);
	l->shown_ns = now_ns;
	l->echoed = echoed;
}

void progress_end(struct progress *l)
{
	progress_line_clear(&l->line);
}
