/* SPDX-License-Identifier: MIT
 * report_text_targets: how connections ended, of all targets or of each, and which were worse off.
 */
#include <stdio.h>
#include <string.h>

#include "echo/base/escape.h"
#include "echo/base/hist.h"
#include "echo/base/units.h"
#include "echoload/result/result.h"
#include "echoload/result/targets.h"
#include "report_text_private.h"

enum { TABLES_MAX = 5 }; /* of targets with errors; JSON has all of them */

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

/* What it had of latency; "-" where that is not known. */
static char *latency_text(const struct target_result *t, double percent, char text[UNITS_MAX])
{
	if (t->latency && t->latency->count > 0)
		return units_time(hist_percentile(t->latency, percent), 3, text);
	snprintf(text, UNITS_MAX, "-");
	return text;
}

static void print_row(const struct result *r, unsigned i, FILE *to)
{
	const struct target_result *t = &r->targets[i];
	char asked[UNITS_MAX], echoed[UNITS_MAX], lost[UNITS_MAX], p50[UNITS_MAX], p99[UNITS_MAX];

	escape_line(to, "%-27s %6s %9s %8s %9s %9s %6s", t->address,
		    report_text_narrow(t->requested, asked),
		    report_text_narrow(t->books.all.echoed, echoed),
		    report_text_narrow(t->books.all.lost, lost), latency_text(t, 50, p50),
		    latency_text(t, 99, p99), targets_state_name(targets_state(r, i)));
}

/* Those that are worst off stand first: of many not all are listed. */
static void print_table(const struct result *r, FILE *to)
{
	unsigned rows = 0;

	fprintf(to, "\n%-27s %6s %9s %8s %9s %9s %6s\n", "target", "conns", "echoed", "lost", "p50",
		"p99", "state");
	for (int s = TARGET_STATES - 1; s >= TARGET_OK; s--) {
		for (unsigned i = 0; i < r->target_count; i++) {
			if ((int)targets_state(r, i) != s || ++rows > REPORT_TEXT_ROWS)
				continue;
			print_row(r, i, to);
		}
	}
	if (rows > REPORT_TEXT_ROWS)
		report_text_more(rows - REPORT_TEXT_ROWS, "target", to);
}

void report_text_targets(const struct result *r, FILE *to)
{
	unsigned tables = 0;

	if (r->target_count == 1) {
		print_outcomes(&r->books, "ended by", to);
		return;
	}
	print_table(r, to);
	for (unsigned i = 0; i < r->target_count; i++) {
		char address[4 * ADDR_TEXT_MAX];

		if (books_errors(&r->targets[i].books) == 0 || ++tables > TABLES_MAX)
			continue;
		fprintf(to, "\n%s", escape_text(r->targets[i].address, address, sizeof(address)));
		print_outcomes(&r->targets[i].books, "ended by", to);
	}
	if (tables > TABLES_MAX) {
		fputc('\n', to);
		report_text_more(tables - TABLES_MAX, "target with errors", to);
	}
}
