/* SPDX-License-Identifier: MIT
 * report_csv: intervals as a table for spreadsheets and scripts; the names of the columns are those
 * of the JSON.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>

#include "echoload/result/result.h"

static int csv_written(FILE *to)
{
	errno = 0;
	return fflush(to) == 0 && !ferror(to) ? 0 : errno ? -errno : -EIO;
}

int report_csv_head(FILE *to)
{
	fputs("begin_ns,end_ns,sent,echoed,lost,missed,errors,connects,open,per_second,"
	      "latency_count,latency_min_ns,latency_mean_ns,latency_p50_ns,latency_p90_ns,"
	      "latency_p99_ns,latency_p99_9_ns,latency_p99_99_ns,latency_max_ns\n",
	      to);
	return csv_written(to);
}

int report_csv_row(const struct interval *i, FILE *to)
{
	const struct interval_counts *n = &i->counts;
	const struct latency *l = &i->latency;

	fprintf(to,
		"%" PRId64 ",%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
		",%" PRIu64 ",%" PRIu32 ",%.3f,",
		i->begin_ns, i->end_ns, n->sent, n->echoed, n->lost, n->missed, n->errors,
		n->connects, i->open, result_interval_rate(i));
	fprintf(to,
		"%" PRIu64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64
		",%" PRId64 ",%" PRId64 "\n",
		l->count, l->min, l->mean, l->p50, l->p90, l->p99, l->p99_9, l->p99_99, l->max);
	return csv_written(to);
}
