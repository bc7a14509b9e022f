/* SPDX-License-Identifier: MIT
 * report: standard output in the format that was asked for.
 */
#include "report.h"

#include <stdio.h>

#include "echodrill/opts.h"
#include "echodrill/script/drill.h"
#include "echodrill/verdict/judge.h"

static void report_tap(const struct result *r, unsigned nth)
{
	const struct judgement *j = r->judgement;
	bool ok = j->verdict == VERDICT_PASS || j->verdict == VERDICT_SKIPPED;
	const char *how = "";

	if (j->verdict == VERDICT_SKIPPED)
		how = " # SKIP ";
	else if (j->verdict == VERDICT_INCONCLUSIVE)
		how = " # TODO inconclusive: ";
	else if (j->reason[0])
		how = " # ";
	printf("%sok %u - %s%s%s\n", ok ? "" : "not ", nth, r->name, how, j->reason);
}

void report_begin(unsigned output, unsigned count)
{
	if (output == OUTPUT_TAP)
		printf("TAP version 13\n1..%u\n", count);
	else if (output == OUTPUT_TEXT && count > 1)
		printf("%-12s %-31s %7s  %s\n", "verdict", "drill", "took",
		       "the client knew after");
}

void report_result(unsigned output, const struct result *r, bool whole, unsigned nth)
{
	if (output == OUTPUT_TEXT)
		report_run_text(r, whole, stdout);
	else if (output == OUTPUT_TAP)
		report_tap(r, nth);
	else if (output == OUTPUT_JSON)
		report_run_json(r, stdout);
	fflush(stdout);
}

static void end_text(const struct summary *at, unsigned count)
{
	unsigned verdicts[4] = { 0 };

	for (unsigned i = 0; i < count; i++)
		verdicts[at[i].verdict] += at[i].done;
	if (count > 1)
		printf("%u passed, %u failed, %u inconclusive, %u skipped\n",
		       verdicts[VERDICT_PASS], verdicts[VERDICT_FAIL],
		       verdicts[VERDICT_INCONCLUSIVE], verdicts[VERDICT_SKIPPED]);
}

void report_end(unsigned output, const struct summary *at, unsigned count)
{
	if (output == OUTPUT_MARKDOWN)
		report_markdown(at, count, stdout);
	if (output != OUTPUT_TEXT)
		return;
	report_matrix_text(at, count, stdout);
	end_text(at, count);
}
