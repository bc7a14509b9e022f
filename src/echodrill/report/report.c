/* SPDX-License-Identifier: MIT
 * report: standard output in the format that was asked for.
 */
#include "report.h"

#include <stdio.h>

#include "echo/base/escape.h"
#include "echodrill/opts.h"
#include "echodrill/script/drill.h"
#include "echodrill/verdict/judge.h"

/* In TAP a '#' behind the description begins a directive, unless it is escaped. */
static const char *tap_name(const char *name, char text[2 * OPT_TEXT_MAX])
{
	size_t len = 0;

	for (; *name && len < 2 * OPT_TEXT_MAX - 2; name++) {
		if (*name == '#' || *name == '\\')
			text[len++] = '\\';
		text[len++] = *name;
	}
	text[len] = '\0';
	return text;
}

static void report_tap(const struct result *r, unsigned nth)
{
	const struct judgement *j = r->judgement;
	bool ok = j->verdict == VERDICT_PASS || j->verdict == VERDICT_SKIPPED;
	const char *how = "";
	char name[2 * OPT_TEXT_MAX];

	if (j->verdict == VERDICT_SKIPPED)
		how = " # SKIP ";
	else if (j->verdict == VERDICT_INCONCLUSIVE)
		how = " # TODO inconclusive: ";
	else if (j->reason[0])
		how = " # ";
	escape_line(stdout, "%sok %u - %s%s%s", ok ? "" : "not ", nth, tap_name(r->name, name), how,
		    j->reason);
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
