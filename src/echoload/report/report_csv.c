/* SPDX-License-Identifier: MIT
 * report_csv: intervals as a table for spreadsheets and scripts; the names of the columns are those
 * of the JSON.
 */
#include "report.h"

#include <inttypes.h>

#include "echo/base/output.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"

static int csv_head(const struct result *r, FILE *to)
{
	(void)r; /* the columns are the same for every run */
	fputs("begin_ns,end_ns,sent,echoed,lost,missed,errors,connects,open,per_second,"
	      "latency_count,latency_min_ns,latency_mean_ns,latency_p50_ns,latency_p90_ns,"
	      "latency_p99_ns,latency_p99_9_ns,latency_p99_99_ns,latency_max_ns\n",
	      to);
	return output_flush(to);
}

static int csv_row(const struct interval *i, const struct hist *h, FILE *to)
{
	const struct interval_counts *n = &i->counts;
	const struct latency *l = &i->latency;

	(void)h; /* its percentiles are in the interval */
	fprintf(to,
		"%" PRId64 ",%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
		",%" PRIu64 ",%" PRIu32 ",%.3f,",
		i->begin_ns, i->end_ns, n->sent, n->echoed, n->lost, n->missed, n->errors,
		n->connects, i->open, result_interval_rate(i));
	fprintf(to,
		"%" PRIu64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
		",%" PRId64 ",%" PRId64 "\n",
		l->count, l->min, l->mean, l->p50, l->p90, l->p99, l->p99_9, l->p99_99, l->max);
	return output_flush(to);
}

const struct report_format report_csv = {
	.option = "csv",
	.name = offsetof(struct load_config, csv),
	.start = csv_head,
	.interval = csv_row,
};
