/* SPDX-License-Identifier: MIT
 * suite_progress: a drill takes as long as its steps say, and a little more: how much that is shows
 * in those that are done.
 */
#include "suite_progress.h"

#include <stdio.h>

#include "echo/base/base.h"
#include "echodrill/script/drill.h"

static const int64_t setup_ns = MSEC(300); /* hosts, programs, verdict */

/* When its last step begins, and the time around the steps. What a step waits for comes on top. */
static int64_t planned_ns(const struct drill *d)
{
	int64_t ns = 0;

	for (unsigned i = 0; i < d->step.count; i++) {
		const struct step *s = &d->step.at[i];

		if (!s->at)
			ns += s->start_ns;
		else if (s->start_ns > ns)
			ns = s->start_ns;
	}
	return ns + setup_ns;
}

static void estimate(struct suite_progress *p, int64_t now_ns)
{
	const unsigned left = p->count - p->done;
	const unsigned beside = left < p->jobs ? left : p->jobs;
	const double slower =
		p->planned_done_ns > 0 ? (double)p->took_ns / (double)p->planned_done_ns : 1;

	p->since_ns = now_ns;
	p->left_ns =
		beside == 0
			? 0
			: (int64_t)((double)(p->planned_ns - p->planned_done_ns) * slower / beside);
}

void suite_progress_begin(struct suite_progress *p, unsigned mode, unsigned jobs, int64_t until_ns)
{
	*p = (struct suite_progress){ .jobs = jobs, .until_ns = until_ns };
	progress_line_begin(&p->line, mode);
}

void suite_progress_add(struct suite_progress *p, const struct drill *d)
{
	p->count++;
	p->planned_ns += planned_ns(d);
}

void suite_progress_started(struct suite_progress *p, int64_t now_ns)
{
	p->running++;
	if (p->since_ns == 0)
		estimate(p, now_ns);
}

void suite_progress_ended(struct suite_progress *p, const struct drill *d, int64_t took_ns,
			  bool failed, int64_t now_ns)
{
	p->running--;
	p->done++;
	p->failed += failed;
	p->planned_done_ns += planned_ns(d);
	p->took_ns += took_ns;
	estimate(p, now_ns);
}

char *suite_progress_text(const struct suite_progress *p, int64_t now_ns, char text[128])
{
	const int64_t left_ns =
		p->until_ns ? p->until_ns - now_ns : p->left_ns - (now_ns - p->since_ns);
	char span[PROGRESS_LINE_SPAN_MAX], of[16] = "";

	if (p->until_ns == 0)
		snprintf(of, sizeof(of), "/%u", p->count);
	snprintf(text, 128, "%u%s done, %u running, %u failed, about %s left", p->done, of,
		 p->running, p->failed,
		 progress_line_span(left_ns < SEC(1) ? SEC(1) : left_ns, span));
	return text;
}

void suite_progress_show(struct suite_progress *p, int64_t now_ns)
{
	char text[128];

	progress_line_show(&p->line, suite_progress_text(p, now_ns, text));
}

void suite_progress_clear(struct suite_progress *p)
{
	progress_line_clear(&p->line);
}
