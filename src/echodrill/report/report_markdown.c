/* SPDX-License-Identifier: MIT
 * report_markdown: docs/failures.md, from the results of one run.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "echo/base/base.h"
#include "echo/base/program.h"
#include "echo/base/units.h"
#include "echodrill/script/drill.h"
#include "report.h"

static void head(FILE *to)
{
	struct utsname u;

	fprintf(to, "# What a client sees when its server fails\n\n"
		    "Made by `make failures`: every line is a drill that ran, and what its client "
		    "saw.\n");
	if (uname(&u) == 0)
		fprintf(to, "Kernel: %s %s, %s. Echolab %s.\n", u.sysname, u.release, u.machine,
			program_version());
	fprintf(to,
		"\nTimes count from the fault, or from the client's start or line where that is "
		"later; *never* is: not while the\ndrill lasted. `echodrill show NAME` prints all "
		"that a drill does, `echodrill run NAME` does it again and shows\nwhat went over "
		"the wire. Where the kernel gives up by itself the drills shorten its patience "
		"(tcp_retries2 = 1, 2\nor 5); with the default of 15 it is a quarter of an hour "
		"([host-crashed-default.txt](host-crashed-default.txt)).\n");
}

static void cells(const struct text_list *l, unsigned most, FILE *to)
{
	for (unsigned i = 0; i < l->count && i < most; i++) {
		fprintf(to, "%s", i ? " " : "");
		report_cell(l->at[i], to);
	}
}

static void row(const struct summary *s, FILE *to)
{
	char after[UNITS_MAX];

	fputs("| ", to);
	report_cell(s->name, to);
	fputs(" | ", to);
	cells(&s->drill->story, 1, to);
	fputs(" | ", to);
	report_cell(s->knew_ns >= 0 ? report_cause_words(s->knew) : s->sound ? "nothing" : "-", to);
	fprintf(to, " | %s | ", report_knew_text(s, after));
	cells(&s->drill->sooner, TEXT_LIST_MAX, to);
	fprintf(to, "%s |\n", s->verdict == VERDICT_PASS ? "" : " (this run has not passed)");
}

static void table(const char *title, enum drill_group group, const struct summary *at,
		  unsigned count, FILE *to)
{
	bool any = false;

	for (unsigned i = 0; i < count; i++) {
		if (!at[i].done || at[i].drill->group != group || at[i].detector)
			continue;
		if (!any)
			fprintf(to,
				"\n## %s\n\n| drill | what happens | the client sees | after | to "
				"see it sooner |\n|---|---|---|---|---|\n",
				title);
		any = true;
		row(&at[i], to);
	}
}

static const char advice[] =
	"\n## What each of the means is worth\n\n"
	"- Wait on the socket all the time (poll, epoll): a killed server's FIN or RST is seen at "
	"once.\n"
	"- A time limit for each answer (`-T`) is the only means against a server that hangs, and "
	"the fastest against one\n  that is gone.\n"
	"- `TCP_USER_TIMEOUT` (`--user-timeout`) bounds data in flight, connects and zero windows; "
	"it also ends connections\n  that are merely slow.\n"
	"- Keepalive (`--keepalive`) is the only means for an idle connection; it does nothing "
	"while data is unacknowledged,\n  and nothing against a hung server.\n"
	"- `IP_RECVERR` (`--icmp-errors`) reports what a router says at once, although the "
	"connection might have lived on.\n"
	"- Without any of these the answer is tcp_retries2: `echodrill explain` computes it for "
	"this host.\n";

static void markdown_end(const struct summary *at, unsigned count)
{
	FILE *to = stdout;

	head(to);
	report_matrix_markdown(at, count, to);
	table("The four classic failures", GROUP_CLASSIC, at, count, to);
	table("Their relatives", GROUP_RELATIVE, at, count, to);
	table("For the patient", GROUP_LONG, at, count, to);
	fputs(advice, to);
}

const struct reporter reporter_markdown = {
	.name = "markdown",
	.help = "a page of what clients saw, and when",
	.end = markdown_end,
};
