/* SPDX-License-Identifier: MIT
 * report_hgrm: the latency of a run as HdrHistogram's percentile text, which plots are made of.
 * Values are milliseconds, as is the custom.
 */
#include "report.h"

#include <inttypes.h>
#include <math.h>

#include "echo/base/hist.h"
#include "echo/base/output.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"

enum { TICKS = 5 }; /* lines for each halving of the distance to 100% */

static const double ns_per_ms = 1e6;

/* The percentile of the next line: steps halve each time that the distance to 100% has. */
static double hgrm_next(double percent)
{
	const double halvings = floor(log2(100 / (100 - percent))) + 1;

	return percent + 100 / (TICKS * exp2(halvings));
}

static double hgrm_deviation(const struct hist *h)
{
	const double mean = hist_mean(h);
	double sum = 0;

	if (h->count == 0)
		return 0;
	for (uint32_t i = hist_index(h, (uint64_t)h->min); i <= hist_index(h, (uint64_t)h->max);
	     i++) {
		double value = ((double)hist_lowest(h, i) + (double)hist_highest(h, i)) / 2 - mean;

		sum += (double)h->counts[i] * value * value;
	}
	return sqrt(sum / (double)h->count);
}

/* A line for every counter that reaches the next percentile; the last one has one more, for all. */
static void hgrm_lines(const struct hist *h, FILE *to)
{
	uint64_t seen = 0;
	double next = 0;

	for (uint32_t i = hist_index(h, (uint64_t)h->min); seen < h->count; i++) {
		const double value =
			(double)(hist_highest(h, i) < h->max ? hist_highest(h, i) : h->max);

		seen += h->counts[i];
		while (h->counts[i] > 0 && next <= 100 * (double)seen / (double)h->count) {
			fprintf(to, "%12.6f %2.12f %10" PRIu64 " %14.2f\n", value / ns_per_ms,
				next / 100, seen, 1 / (1 - next / 100));
			next = hgrm_next(next);
			if (seen == h->count)
				break;
		}
	}
	fprintf(to, "%12.6f %2.12f %10" PRIu64 "\n", (double)h->max / ns_per_ms, 1.0, h->count);
}

static int hgrm_end(const struct result *r, FILE *to)
{
	const struct hist *h = r->latency;

	fprintf(to, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	if (h->count > 0)
		hgrm_lines(h, to);
	fprintf(to, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n", hist_mean(h) / ns_per_ms,
		hgrm_deviation(h) / ns_per_ms);
	fprintf(to, "#[Max     = %12.6f, Total count    = %12" PRIu64 "]\n",
		(double)h->max / ns_per_ms, h->count);
	fprintf(to, "#[Buckets = %12u, SubBuckets     = %12u]\n", 64 - h->bits, 1u << h->bits);
	return output_flush(to);
}

const struct report_format report_hgrm = {
	.option = "hist",
	.name = offsetof(struct load_config, hist),
	.suffix = ".hgrm",
	.end = hgrm_end,
};
