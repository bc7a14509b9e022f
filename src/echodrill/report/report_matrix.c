/* SPDX-License-Identifier: MIT
 * report_matrix: a row for each drill that was run with detectors, a column for each detector.
 */
#include <stdio.h>
#include <string.h>

#include "echo/base/escape.h"
#include "echo/base/textwrap.h"
#include "echo/base/units.h"
#include "echodrill/script/detector.h"
#include "echodrill/script/drill.h"
#include "report.h"

enum { FAULT_WIDTH = 23, CELL_WIDTH = 11 };

static bool has_means(const struct summary *at, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (at[i].detector)
			return true;
	return false;
}

/* They are all of one family. */
static const char *row_name(const struct drill *d)
{
	return strncmp(d->name, "grid-", 5) == 0 ? d->name + 5 : d->name;
}

/* Is it the first of its row? */
static bool begins_row(const struct summary *at, unsigned i)
{
	if (!at[i].detector)
		return false;
	return i == 0 || at[i - 1].drill != at[i].drill || at[i].detector <= at[i - 1].detector;
}

/* The run of the row that begins at @i with this detector, or NULL. */
static const struct summary *find_cell(const struct summary *at, unsigned count, unsigned i,
				       const struct detector *detector)
{
	for (unsigned k = i; k < count && (k == i || !begins_row(at, k)); k++)
		if (at[k].drill == at[i].drill && at[k].detector == detector && at[k].done)
			return &at[k];
	return NULL;
}

char *report_knew_text(const struct summary *s, char text[UNITS_MAX])
{
	if (s->knew_ns >= 0)
		return units_time(s->knew_ns, 3, text);
	snprintf(text, UNITS_MAX, "%s", s->sound ? "never" : "-");
	return text;
}

/* "!" behind it: that run has not passed. */
static const char *cell_text(const struct summary *s, char text[UNITS_MAX])
{
	if (!s || (s->knew_ns < 0 && !s->sound))
		return "-";
	report_knew_text(s, text);
	if (s->verdict != VERDICT_PASS)
		strncat(text, "!", UNITS_MAX - strlen(text) - 1);
	return text;
}

void report_matrix_text(const struct summary *at, unsigned count, FILE *to)
{
	char text[UNITS_MAX], name[4 * DRILL_NAME_MAX];

	if (!has_means(at, count))
		return;
	fprintf(to, "\nHow soon a client knows, by the means it has:\n%-*s", FAULT_WIDTH, "fault");
	for (unsigned m = 0; m < DETECTOR_COUNT; m++)
		fprintf(to, "%*s", CELL_WIDTH, detectors[m].name);
	for (unsigned i = 0; i < count; i++) {
		if (!begins_row(at, i))
			continue;
		fprintf(to, "\n%-*.*s", FAULT_WIDTH, FAULT_WIDTH,
			escape_text(row_name(at[i].drill), name, sizeof(name)));
		for (unsigned m = 0; m < DETECTOR_COUNT; m++)
			fprintf(to, "%*s", CELL_WIDTH,
				cell_text(find_cell(at, count, i, &detectors[m]), text));
	}
	fprintf(to, "\n");
	for (unsigned m = 0; m < DETECTOR_COUNT; m++) {
		snprintf(text, sizeof(text), "  %s", detectors[m].name);
		textwrap_put(to, text, 16, 0, detectors[m].options);
	}
	fprintf(to, "\n");
}

void report_matrix_markdown(const struct summary *at, unsigned count, FILE *to)
{
	char text[UNITS_MAX];

	if (!has_means(at, count))
		return;
	fprintf(to, "\n## How soon a client knows, by the means it has\n\n| fault |");
	for (unsigned m = 0; m < DETECTOR_COUNT; m++)
		fprintf(to, " %s |", detectors[m].name);
	fprintf(to, "\n|---|");
	for (unsigned m = 0; m < DETECTOR_COUNT; m++)
		fprintf(to, "---|");
	for (unsigned i = 0; i < count; i++) {
		if (!begins_row(at, i))
			continue;
		fputs("\n| ", to);
		report_cell(at[i].drill->story.at[0], to);
		fputs(" |", to);
		for (unsigned m = 0; m < DETECTOR_COUNT; m++) {
			const struct summary *s = find_cell(at, count, i, &detectors[m]);
			const bool knew = s && s->knew_ns >= 0;

			fprintf(to, " %s%s", cell_text(s, text), knew ? ", " : "");
			report_cell(knew ? report_cause_words(s->knew) : "", to);
			fputs(" |", to);
		}
	}
	fprintf(to, "\n\n");
	for (unsigned m = 0; m < DETECTOR_COUNT; m++)
		fprintf(to, "- **%s**: `echoload %s`\n", detectors[m].name, detectors[m].options);
}
