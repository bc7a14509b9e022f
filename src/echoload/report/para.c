/* SPDX-License-Identifier: MIT
 * para: see para.h.
 */
#include "para.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/textwrap.h"
#include "echo/base/units.h"

static const double rate_whole = 100, rate_most = 1e18; /* between them it is a whole number */

void para_add(struct para *p, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(p->s + p->len, sizeof(p->s) - p->len, fmt, args);
	va_end(args);
	assert(n >= 0);
	p->len = size_min(p->len + (size_t)n, sizeof(p->s) - 1);
}

void para_count(struct para *p, const char *before, uint64_t n, const char *after)
{
	char number[UNITS_MAX];

	para_add(p, "%s%s%s", before, units_count(n, number), after);
}

void para_rate(struct para *p, const char *before, double rate, const char *after)
{
	if (rate >= rate_whole && rate < rate_most)
		para_count(p, before, (uint64_t)(rate + 0.5), after);
	else
		para_add(p, "%s%.3g%s", before, rate, after);
}

void para_time(struct para *p, const char *before, int64_t ns, const char *after)
{
	char time[UNITS_MAX];

	para_add(p, "%s%s%s", before, units_time(ns, 3, time), after);
}

void para_print(const struct para *p, const char *label, FILE *to)
{
	textwrap_put(to, label, PARA_LABEL, 0, p->s);
}
