/* SPDX-License-Identifier: MIT
 * report_words: causes in the words of a reader, and text that must not break a table.
 */
#include "echo/base/cause.h"
#include "echo/base/escape.h"
#include "report.h"

const char *report_cause_words(const char *cause)
{
	enum cause known = cause_find(cause);

	return known < CAUSE_COUNT ? cause_text(known) : cause;
}

char *report_missed(const struct result *r, const struct finding *f, char text[REPORT_MISSED_MAX])
{
	static const struct missed_list nothing;
	const struct missed_list *l = f->of == FINDING_OF_STEP     ? &r->drill->step_missed
				      : f->of == FINDING_OF_EXPECT ? &r->drill->expect_missed
								   : &nothing;

	return drill_missed(l, f->nth, text, REPORT_MISSED_MAX);
}

unsigned report_step(const struct result *r)
{
	const struct judgement *j = r->judgement;

	for (unsigned i = 0; i < j->count; i++)
		if (j->at[i].of == FINDING_OF_STEP && j->at[i].ruling != RULING_OK &&
		    j->at[i].ruling != RULING_SKIPPED)
			return j->at[i].nth + 1;
	return 0;
}

void report_cell(const char *text, FILE *to)
{
	char plain[4 * OPT_TEXT_MAX];

	for (const char *c = escape_text(text, plain, sizeof(plain)); *c; c++)
		fprintf(to, *c == '|' ? "\\%c" : "%c", *c);
}
