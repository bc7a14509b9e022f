/* SPDX-License-Identifier: MIT
 * report_hlog: HdrHistogram's log of intervals, format 1.3, with a whole histogram each in its V2
 * encoding: nanoseconds there, milliseconds in the text beside it, as is the custom.
 */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "echo/base/hist.h"
#include "echo/base/hist_codec.h"
#include "echo/base/output.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"

static const double ns_per_ms = 1e6;

static int hlog_head(const struct result *r, FILE *to)
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
	return output_flush(to);
}

static int hlog_line(const struct interval *i, const struct hist *h, FILE *to)
{
	char *text = hist_codec_encode(h);

	if (!text)
		return -ENOMEM;
	fprintf(to, "%.3f,%.3f,%.3f,%s\n", (double)i->begin_ns / 1e9,
		(double)(i->end_ns - i->begin_ns) / 1e9, (double)h->max / ns_per_ms, text);
	free(text);
	return output_flush(to);
}

const struct report_format report_hlog = {
	.option = "hist",
	.name = offsetof(struct load_config, hist),
	.suffix = ".hlog",
	.start = hlog_head,
	.interval = hlog_line,
};
