/* SPDX-License-Identifier: MIT
 * report_hist: histograms as HdrHistogram's tools read them: .hgrm is the percentile text that
 * plots are made of, .hlog a log of intervals with a whole histogram each, format 1.3 with V2
 * encoding. Values are milliseconds in the text and nanoseconds in encoded histograms, as is the
 * custom.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "echo/base/hist.h"
#include "echo/base/hist_codec.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"

enum { TICKS = 5 }; /* lines for each halving of the distance to 100% */

static const double ns_per_ms = 1e6;

static int hist_written(FILE *to)
{
	errno = 0;
	return fflush(to) == 0 && !ferror(to) ? 0 : errno ? -errno : -EIO;
}

static bool has_suffix(const char *name, const char *suffix)
{
	const size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && strcmp(name + len - tail, suffix) == 0;
}

bool report_is_hgrm(const char *name)
{
	return has_suffix(name, ".hgrm");
}

bool report_is_hlog(const char *name)
{
	return has_suffix(name, ".hlog");
}

/* ---- .hgrm ---- */

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

int report_hgrm(const struct hist *h, FILE *to)
{
	fprintf(to, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
		"1/(1-Percentile)");
	if (h->count > 0)
		hgrm_lines(h, to);
	fprintf(to, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n", hist_mean(h) / ns_per_ms,
		hgrm_deviation(h) / ns_per_ms);
	fprintf(to, "#[Max     = %12.6f, Total count    = %12" PRIu64 "]\n",
		(double)h->max / ns_per_ms, h->count);
	fprintf(to, "#[Buckets = %12u, SubBuckets     = %12u]\n", 64 - h->bits, 1u << h->bits);
	return hist_written(to);
}

/* ---- .hlog ---- */

int report_hlog_head(const struct result *r, FILE *to)
{
	const time_t seconds = (time_t)(r->start_unix_ns / 1000000000);
	char date[64] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		(void)strftime(date, sizeof(date), "%a %b %d %H:%M:%S UTC %Y", &tm);
	fprintf(to, "#[Logged with echoload]\n#[Histogram log format version 1.3]\n");
	fprintf(to, "#[StartTime: %.3f (seconds since epoch), %s]\n",
		(double)r->start_unix_ns / 1e9, date);
	fprintf(to, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\","
		    "\"Interval_Compressed_Histogram\"\n");
	return hist_written(to);
}

int report_hlog_line(const struct interval *i, const struct hist *h, FILE *to)
{
	char *text = hist_codec_encode(h);

	if (!text)
		return -ENOMEM;
	fprintf(to, "%.3f,%.3f,%.3f,%s\n", (double)i->begin_ns / 1e9,
		(double)(i->end_ns - i->begin_ns) / 1e9, (double)h->max / ns_per_ms, text);
	free(text);
	return hist_written(to);
}
