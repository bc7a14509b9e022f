/* SPDX-License-Identifier: MIT
 * report_tap: the Test Anything Protocol, for harnesses that collect results.
 */
#include <stdio.h>

#include "echo/base/escape.h"
#include "report.h"

static bool tap_planned;

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

/* The plan may stand at the end as well. */
static void tap_begin(unsigned count)
{
	printf("TAP version 13\n");
	if (count > 0)
		printf("1..%u\n", count);
	tap_planned = count > 0;
}

static void tap_end(const struct summary *at, unsigned count)
{
	(void)at;
	if (!tap_planned)
		printf("1..%u\n", count);
}

static void tap_result(const struct result *r, bool whole, unsigned nth)
{
	const struct judgement *j = r->judgement;
	bool ok = j->verdict == VERDICT_PASS || j->verdict == VERDICT_SKIPPED;
	const char *how = "";
	char name[2 * OPT_TEXT_MAX];

	(void)whole;
	if (j->verdict == VERDICT_SKIPPED)
		how = " # SKIP ";
	else if (j->verdict == VERDICT_INCONCLUSIVE)
		how = " # TODO inconclusive: ";
	else if (j->reason[0])
		how = " # ";
	escape_line(stdout, "%sok %u - %s%s%s", ok ? "" : "not ", nth, tap_name(r->name, name), how,
		    j->reason);
}

const struct reporter reporter_tap = {
	.name = "tap",
	.help = "the Test Anything Protocol",
	.begin = tap_begin,
	.result = tap_result,
	.end = tap_end,
};
