/* SPDX-License-Identifier: MIT
 * report_program: a program file in a line or two.
 */
#include <stdio.h>

#include "echo/base/escape.h"
#include "echodrill/script/program.h"
#include "report.h"

void report_program(const struct program *p, FILE *to)
{
	static const char *const kinds[] = { "server", "client", "proxy" };
	char why[OPT_TEXT_MAX];

	escape_line(to, "%-7s %-20s %s", kinds[p->kind], p->name,
		    p->about.count ? p->about.at[0] : "");
	if (program_check(p, why) < 0)
		escape_line(to, "%-28s (%s)", "", why);
}
