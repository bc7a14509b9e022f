/* SPDX-License-Identifier: MIT
 * result: figures that follow from a result, and whether all of its parts agree.
 */
#include "result.h"

#include "echo/base.h"
#include "echo/hist.h"

double result_rate(const struct result *r)
{
	int64_t ns = r->measure_end_ns - r->measure_begin_ns;

	return ns > 0 ? (double)r->books.measured.echoed * 1e9 / (double)ns : 0;
}

double result_byte_rate(const struct result *r)
{
	const struct books *b = &r->books;

	if (b->all.echoed == 0)
		return 0;
	return result_rate(r) * ((double)b->bytes_echoed / (double)b->all.echoed);
}

const char *result_check(const struct result *r)
{
	const struct books *b = &r->books;
	const char *broken = books_check(b);

	if (broken)
		return broken;
	if (r->latency->count != b->measured.echoed)
		return "latency_ns.count = measured.echoed";
	if (r->uncorrected->count != b->measured.echoed)
		return "latency_uncorrected_ns.count = measured.echoed";
	if (r->outside->count + b->echoed_in_outage != b->measured.echoed)
		return "latency_outside_outage_ns.count + measured.echoed_in_outage = "
		       "measured.echoed";
	return NULL;
}
