/* SPDX-License-Identifier: MIT
 * report: standard output in the format that was asked for. A format is a file of its own and a
 * line here.
 */
#include "report.h"

#include <stdio.h>

static const struct reporter *const reporters[] = {
#define REPORT_ENTRY(name_) &reporter_##name_,
	REPORT_FORMATS(REPORT_ENTRY)
};

void report_begin(unsigned format, unsigned count)
{
	if (reporters[format]->begin)
		reporters[format]->begin(count);
}

void report_result(unsigned format, const struct result *r, bool whole, unsigned nth)
{
	if (reporters[format]->result)
		reporters[format]->result(r, whole, nth);
	fflush(stdout);
}

void report_end(unsigned format, const struct summary *at, unsigned count)
{
	if (reporters[format]->end)
		reporters[format]->end(at, count);
}
