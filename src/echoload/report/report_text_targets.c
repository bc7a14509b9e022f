/* SPDX-License-Identifier: MIT
 * report_text_targets: how connections ended, of all targets or of each.
 */
#include <stdio.h>
#include <string.h>

#include "echo/base/escape.h"
#include "echo/base/units.h"
#include "echoload/result/result.h"
#include "report_text_private.h"

const char *report_text_plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

char *report_text_narrow(uint64_t n, char text[UNITS_MAX])
{
	units_count(n, text);
	if (strlen(text) > 9)
		snprintf(text, UNITS_MAX, "%llu", (unsigned long long)n);
	return text;
}

void report_text_more(uint64_t n, const char *what, FILE *to)
{
	char number[UNITS_MAX];

	if (n > 0)
		fprintf(to, "  and %s more %s%s\n", units_count(n, number), what,
			report_text_plural(n));
}

static void print_outcomes(const struct books *b, const char *title, FILE *to)
{
	if (books_errors(b) == 0)
		return;
	fprintf(to, "\n%-16s %-10s %-13s %9s %9s %8s %8s\n", title, "phase", "errno", "count",
		"lost", "first", "last");
	for (unsigned i = 0; i < b->outcome_count && i < REPORT_TEXT_ROWS; i++) {
		const struct outcome *o = &b->outcomes[i];
		char count[UNITS_MAX], lost[UNITS_MAX], first[UNITS_MAX], last[UNITS_MAX];

		fprintf(to, "%-16s %-10s %-13s %9s %9s %8s %8s\n", cause_name(o->cause),
			cause_phase_name(o->at), o->err ? cause_errno_name(o->err) : "-",
			report_text_narrow(o->count, count),
			report_text_narrow(o->messages_lost, lost),
			units_time(o->first_ns, 4, first), units_time(o->last_ns, 4, last));
	}
	if (b->outcome_count > REPORT_TEXT_ROWS)
		report_text_more(b->outcome_count - REPORT_TEXT_ROWS, "way", to);
}

void report_text_targets(const struct result *r, FILE *to)
{
	if (r->target_count == 1) {
		print_outcomes(&r->books, "ended by", to);
		return;
	}
	fprintf(to, "\n%-30s %9s %9s %9s %9s %9s\n", "target", "opened", "failed", "sent", "echoed",
		"lost");
	for (unsigned i = 0; i < r->target_count; i++) {
		const struct books *b = &r->targets[i].books;
		char opened[UNITS_MAX], failed[UNITS_MAX], sent[UNITS_MAX], echoed[UNITS_MAX];
		char lost[UNITS_MAX];

		escape_line(to, "%-30s %9s %9s %9s %9s %9s", r->targets[i].address,
			    report_text_narrow(b->established, opened),
			    report_text_narrow(b->failed, failed),
			    report_text_narrow(b->all.sent, sent),
			    report_text_narrow(b->all.echoed, echoed),
			    report_text_narrow(b->all.lost, lost));
	}
	for (unsigned i = 0; i < r->target_count; i++) {
		char address[4 * ADDR_TEXT_MAX];

		if (books_errors(&r->targets[i].books) == 0)
			continue;
		fprintf(to, "\n%s", escape_text(r->targets[i].address, address, sizeof(address)));
		print_outcomes(&r->targets[i].books, "ended by", to);
	}
}
