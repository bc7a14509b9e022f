/* SPDX-License-Identifier: MIT
 * report_page: what a client notices and what it never does, on a page, the most dangerous first.
 */
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/base/textwrap.h"
#include "echo/base/units.h"
#include "echodrill/explain.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/program.h"
#include "report.h"

enum { SLOW_S = 10, TEXT_AT = 6 };

/* In order of danger. */
enum danger { DANGER_NEVER, DANGER_SUCCESS, DANGER_SLOW, DANGER_NONE, DANGER_UNKNOWN, DANGER_NA };

static enum danger danger_of(const struct summary *s)
{
	if (s->not_applicable)
		return DANGER_NA;
	if (!s->done || !s->sound || s->verdict == VERDICT_SKIPPED ||
	    s->verdict == VERDICT_INCONCLUSIVE)
		return DANGER_UNKNOWN;
	if (s->knew_ns < 0)
		return DANGER_NEVER;
	if (s->ended == 0 && !s->drill->answered)
		return DANGER_SUCCESS;
	return s->knew_ns > SEC(SLOW_S) ? DANGER_SLOW : DANGER_NONE;
}

static const char *computed(const struct summary *s, char text[UNITS_MAX + 32])
{
	struct explain_tcp tcp;
	char time[UNITS_MAX];
	int64_t ns;

	explain_defaults(&tcp);
	ns = explain_fault(&tcp, s->drill->explain);
	if (ns == 0)
		return "";
	snprintf(text, UNITS_MAX + 32, "TCP alone says it %s. ",
		 ns < 0    ? "never"
		 : ns == 1 ? "at once"
			   : units_time(ns, 4, time));
	if (ns > 1)
		snprintf(text, UNITS_MAX + 32, "TCP alone says it after %s. ", time);
	return text;
}

static void fault_line(const struct summary *s, enum danger danger, FILE *to)
{
	char text[OPT_TEXT_MAX * 2], after[UNITS_MAX], tcp[UNITS_MAX + 32];
	const char *uncured = s->client ? program_uncured(s->client, s->drill->name) : NULL;

	escape_line(to, "  %-28s %-9s %s%s", s->name, report_knew_text(s, after),
		    s->knew_ns >= 0 ? s->knew : "",
		    s->ended == 0 && s->knew_ns >= 0 ? ", and ends with exit code 0" : "");
	if (danger >= DANGER_UNKNOWN) {
		textwrap_put(to, "", TEXT_AT, 0, s->reason);
		return;
	}
	textwrap_put(to, "", TEXT_AT, 0, s->drill->story.at[0]);
	if (danger >= DANGER_NONE)
		return;
	if (uncured)
		snprintf(text, sizeof(text), "%sNothing to set: %s", computed(s, tcp), uncured);
	else
		snprintf(text, sizeof(text), "%s%s%s", computed(s, tcp),
			 s->drill->sooner.count ? "To set: " : "",
			 s->drill->sooner.count ? s->drill->sooner.at[0] : "");
	textwrap_put(to, "", TEXT_AT, 0, text);
}

static void page_end(const struct summary *at, unsigned count)
{
	static const char *const titles[] = {
		[DANGER_NEVER] = "Never noticed while the drill lasted",
		[DANGER_SUCCESS] = "Noticed, and called a success",
		[DANGER_SLOW] = "Noticed after more than 10 s",
		[DANGER_NONE] = "Noticed",
		[DANGER_UNKNOWN] = "Not known",
		[DANGER_NA] = "Not applicable",
	};
	unsigned never = 0;

	for (unsigned d = 0; d < ARRAY_LEN(titles); d++) {
		bool any = false;

		for (unsigned i = 0; i < count; i++) {
			if (danger_of(&at[i]) != d)
				continue;
			if (!any)
				printf("%s\n", titles[d]);
			any = true;
			never += d == DANGER_NEVER;
			fault_line(&at[i], d, stdout);
		}
		if (any)
			printf("\n");
	}
	printf("%u of %u faults are never noticed\n", never, count);
}

const struct reporter reporter_page = {
	.name = "page",
	.help = "what the client never notices, what it does and when: the most dangerous first",
	.end = page_end,
};
