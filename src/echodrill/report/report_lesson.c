/* SPDX-License-Identifier: MIT
 * report_lesson: what a student's program missed: first what was not met, then what that means, in
 * the words of the drill's file.
 */
#include <stdbool.h>
#include <stdio.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/base/textwrap.h"
#include "echodrill/lesson/lesson.h"
#include "echodrill/stage/run.h"
#include "report.h"

enum { STORY_AT = 4, FINDING_AT = 10 };

static const char *const graded[] = { [VERDICT_PASS] = "passed",
				      [VERDICT_SKIPPED] = "could not be run",
				      [VERDICT_INCONCLUSIVE] = "cannot be said",
				      [VERDICT_FAIL] = "missed" };

void report_lesson_list(FILE *to)
{
	for (unsigned i = 0; i < LESSON_COUNT; i++) {
		fprintf(to, "%u  %s\n", i + 1, lessons[i].title);
		for (unsigned k = 0; lessons[i].client[k]; k++)
			fprintf(to, "   --client CMD  %s\n", lessons[i].client[k]);
		for (unsigned k = 0; lessons[i].server[k]; k++)
			fprintf(to, "   --server CMD  %s\n", lessons[i].server[k]);
	}
}

static void lesson_finding(const struct finding *f, FILE *to)
{
	char text[OPT_TEXT_MAX + 264];

	if (f->of == FINDING_OF_STEP)
		snprintf(text, sizeof(text), "%s: %s", f->what, f->observed);
	else
		snprintf(text, sizeof(text), "%s %s: %s", f->what, f->expected, f->observed);
	textwrap_put(to, f->ruling == RULING_NO ? "    NO" : "    ??", FINDING_AT, 0, text);
}

/* What was not met. Of a verdict that is one the first of it is explained, the rest may have come
 * of that; where a step was missed the drill ended, and its expectations say nothing more. */
static void lesson_findings(const struct result *r, FILE *to)
{
	const bool failed = r->judgement->verdict == VERDICT_FAIL;
	char missed[REPORT_MISSED_MAX] = "";

	for (unsigned i = 0; i < r->judgement->count; i++) {
		const struct finding *f = &r->judgement->at[i];

		if (f->ruling == RULING_OK || f->ruling == RULING_SKIPPED)
			continue;
		/* a fault that was not reached says nothing where a program missed a step */
		if (f->ruling == RULING_NO || !failed)
			lesson_finding(f, to);
		if (f->ruling != RULING_NO || !failed)
			continue;
		if (!missed[0] && report_missed(r, f, missed)[0])
			textwrap_put(to, "", FINDING_AT, 0, missed);
		if (f->of == FINDING_OF_STEP)
			return;
	}
}

static void lesson_result(const struct result *r, bool whole, unsigned nth)
{
	const struct judgement *j = r->judgement;

	(void)nth;
	escape_line(stdout, "%s: %s", r->name, graded[j->verdict]);
	if (whole) {
		report_whole(r, stdout);
		return;
	}
	textwrap_put(stdout, "", STORY_AT, 0, r->drill->story.at[0]);
	if (j->verdict != VERDICT_PASS)
		lesson_findings(r, stdout);
	if (j->verdict == VERDICT_SKIPPED || j->verdict == VERDICT_INCONCLUSIVE)
		textwrap_put(stdout, "", STORY_AT, 0, j->reason);
}

static void lesson_end(const struct summary *at, unsigned count)
{
	unsigned verdicts[4] = { 0 };

	for (unsigned i = 0; i < count; i++)
		verdicts[at[i].verdict] += at[i].done;
	if (verdicts[VERDICT_PASS] == count)
		printf("\npassed: all %u\n", count);
	else if (verdicts[VERDICT_FAIL] > 0)
		printf("\nmissed: %u of %u%s (--timeline always shows what happened, --html DIR "
		       "draws it)\n",
		       verdicts[VERDICT_FAIL], count,
		       verdicts[VERDICT_INCONCLUSIVE] > 0 ? ", and not all can be said" : "");
	else
		printf("\nnot graded: the program took no part, or this machine was too slow: run "
		       "it again\n");
}

const struct reporter reporter_lesson = {
	.name = "lesson",
	.help = "what a program missed, and why",
	.result = lesson_result,
	.end = lesson_end,
};
