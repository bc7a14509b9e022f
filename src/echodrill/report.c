/* SPDX-License-Identifier: MIT
 * report: standard output in the format that was asked for.
 */
#include "report.h"

#include <sys/utsname.h>

#include "drill.h"
#include "echo/program.h"
#include "echo/units.h"
#include "judge.h"
#include "opts.h"

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
	printf("%sok %u - %s%s%s\n", ok ? "" : "not ", nth, r->drill->name, how, j->reason);
}

static void markdown_head(void)
{
	struct utsname u;

	printf("# What a client sees when its server fails\n\n"
	       "Written by `echodrill -o markdown run`: every line is a drill that ran, and what "
	       "its "
	       "client saw.\n");
	if (uname(&u) == 0)
		printf("Kernel: %s %s, %s. echolab %s.\n", u.sysname, u.release, u.machine,
		       program_version());
	printf("Times count from the fault; `never` is: not while the drill lasted. `echodrill "
	       "show "
	       "NAME` prints all that a drill does.\n\n"
	       "| drill | what happens | client | server | it sees | after | verdict |\n"
	       "|---|---|---|---|---|---|---|\n");
}

/* A value of a table must not end its column. */
static void markdown_text(const struct text_list *l, unsigned most)
{
	for (unsigned i = 0; i < l->count && i < most; i++) {
		printf("%s", i ? " " : "");
		for (const char *c = l->at[i]; *c; c++)
			printf(*c == '|' ? "\\%c" : "%c", *c);
	}
}

static void report_markdown(const struct result *r)
{
	const struct judgement *j = r->judgement;
	char after[UNITS_MAX] = "never";

	if (j->knew_ns >= 0)
		units_time(j->knew_ns, 3, after);
	printf("| %s | ", r->drill->name);
	markdown_text(&r->drill->story, DRILL_SYSCTLS_MAX);
	printf(" | `");
	markdown_text(&r->drill->client_options, DRILL_SYSCTLS_MAX);
	printf("` | `");
	markdown_text(&r->drill->server_options, DRILL_SYSCTLS_MAX);
	printf("` | %s | %s | %s |\n", j->knew_ns >= 0 ? j->knew : "nothing", after,
	       verdict_name(j->verdict));
}

void report_begin(unsigned output, unsigned count)
{
	if (output == OUTPUT_TAP)
		printf("TAP version 13\n1..%u\n", count);
	else if (output == OUTPUT_MARKDOWN)
		markdown_head();
	else if (output == OUTPUT_TEXT && count > 1)
		printf("%-12s  %-34s %7s  %s\n", "verdict", "drill", "took",
		       "the client knew after, and how");
}

void report_result(unsigned output, const struct result *r, bool whole, unsigned nth)
{
	if (output == OUTPUT_TEXT)
		report_run_text(r, whole, stdout);
	else if (output == OUTPUT_TAP)
		report_tap(r, nth);
	else if (output == OUTPUT_MARKDOWN)
		report_markdown(r);
	else
		report_run_json(r, stdout);
	fflush(stdout);
}

static const char advice[] =
	"\n## To see it sooner\n\n"
	"- Wait on the socket all the time (poll, epoll): a killed server's FIN or RST is seen at "
	"once.\n"
	"- A time limit for each answer (`-T`) is the only means against a server that hangs, and "
	"the fastest against one that is gone.\n"
	"- `TCP_USER_TIMEOUT` (`--user-timeout`) bounds data in flight, connects and zero windows; "
	"it also ends connections that are merely slow.\n"
	"- Keepalive (`--keepalive`) is the only means for an idle connection; it does nothing "
	"while data is unacknowledged, and nothing against a hung server.\n"
	"- `IP_RECVERR` (`--icmp-errors`) reports what a router says at once, although the "
	"connection might have lived on.\n"
	"- Without any of these the answer is tcp_retries2: `echodrill explain` computes it for "
	"this host.\n";

void report_end(unsigned output, const unsigned verdicts[4])
{
	if (output == OUTPUT_MARKDOWN)
		fputs(advice, stdout);
	if (output == OUTPUT_TEXT)
		printf("%u passed, %u failed, %u inconclusive, %u skipped\n",
		       verdicts[VERDICT_PASS], verdicts[VERDICT_FAIL],
		       verdicts[VERDICT_INCONCLUSIVE], verdicts[VERDICT_SKIPPED]);
}
