/* SPDX-License-Identifier: MIT
 * plot_script: what a run showed, as data and variables of gnuplot. The script below them is
 * run.gp.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "echo/base/hist.h"
#include "plot_private.h"

extern const char asset_run_gp[];

/* In seconds of the run. */
static double seconds(int64_t ns)
{
	return (double)ns / 1e9;
}

/* Echoes came, and their latency is known. */
static bool has_latency(const struct interval *row)
{
	return row->latency.count > 0 && row->latency.p50 > 0 && row->latency.max > 0;
}

/* A row that is much shorter than the others says little: what came while the run ended. It is
 * drawn where no other has anything to draw. */
static bool is_stub(const struct plot_data *p, size_t i)
{
	const int64_t first_ns = p->rows[0].end_ns - p->rows[0].begin_ns;
	bool others = false;

	if (i == 0 || i < p->count - 1 || (p->rows[i].end_ns - p->rows[i].begin_ns) * 2 >= first_ns)
		return false;
	while (i-- > 0 && !others)
		others = has_latency(&p->rows[i]);
	return others;
}

/* What rates are divided by, so that the numbers at the axis are short. */
static double rate_unit(const struct plot_data *p)
{
	double max = 0;

	for (size_t i = 0; i < p->count; i++)
		max = is_stub(p, i) ? max : fmax(max, result_interval_rate(&p->rows[i]));
	return max >= 2e6 ? 1e6 : max >= 2e3 ? 1e3 : 1;
}

static void write_data(const struct plot_data *p, FILE *to)
{
	const double unit = rate_unit(p);

	fputs("$rate << EOD\n", to);
	for (size_t i = 0; i < p->count; i++) {
		const struct interval *row = &p->rows[i];
		const double rate = is_stub(p, i) ? 0 : result_interval_rate(row) / unit;

		fprintf(to, "%.6f %.6f\n%.6f %.6f\n", seconds(row->begin_ns), rate,
			seconds(row->end_ns), rate);
	}
	fputs("EOD\n$latency << EOD\n", to);
	for (size_t i = 0; i < p->count; i++) {
		const struct interval *row = &p->rows[i];
		const double middle = (seconds(row->begin_ns) + seconds(row->end_ns)) / 2;

		if (is_stub(p, i))
			continue;
		if (!has_latency(row))
			fputc('\n', to); /* the line breaks off */
		else
			fprintf(to, "%.6f %lld %lld %lld\n", middle, (long long)row->latency.p50,
				(long long)row->latency.p99, (long long)row->latency.max);
	}
	fputs("EOD\n", to);
}

/* What the axes of latency reach over, in seconds. */
static void write_extremes(const struct plot_data *p, FILE *to)
{
	const struct hist *h = p->all && p->all->count > 0 ? p->all : NULL;
	int64_t low_ns = INT64_MAX, high_ns = 0;

	for (size_t i = 0; i < p->count; i++) {
		if (!has_latency(&p->rows[i]) || is_stub(p, i))
			continue;
		if (p->rows[i].latency.p50 < low_ns)
			low_ns = p->rows[i].latency.p50;
		if (p->rows[i].latency.max > high_ns)
			high_ns = p->rows[i].latency.max;
	}
	fprintf(to, "low = %.9f\nhigh = %.9f\nleast = %.9f\nmost = %.9f\n",
		seconds(high_ns > 0 ? low_ns : 0), seconds(high_ns),
		h ? seconds(hist_percentile(h, 0)) : 0, h ? seconds(hist_percentile(h, 100)) : 0);
}

/* Distance to 100% from 1 to 1 / count, as far as there are messages. */
static void write_percentiles(const char *name, const struct hist *h, FILE *to)
{
	fprintf(to, "$%s << EOD\n", name);
	for (double x = 1; h && h->count > 0; x *= 1.1) {
		const bool last = x >= (double)h->count;
		const double percent = last ? 100 : 100 - 100 / x;

		fprintf(to, "%.6g %lld\n", last ? (double)h->count : x,
			(long long)hist_percentile(h, percent));
		if (last)
			break;
	}
	fputs("EOD\n", to);
}

/* When each began and ended, and "outage 1.03 s", or less where there is no room for that. */
static void write_outages(const struct plot_data *p, FILE *to)
{
	const double enough = seconds(p->end_ns) / 12;

	fputs("$outages << EOD\n", to);
	for (unsigned i = 0; i < p->outage_count; i++) {
		const struct outage *o = &p->outages[i];
		const int64_t end_ns = o->recovered_ns < 0 ? p->end_ns : o->recovered_ns;
		const double begin = seconds(o->begin_ns), end = seconds(end_ns);

		fprintf(to, "%.6f %.6f '%s%.2f s%s'\n", begin, end,
			end - begin < enough && p->outage_count > 3 ? "" : "outage ", end - begin,
			o->recovered_ns < 0 ? ", not over" : "");
	}
	fputs("EOD\n", to);
}

/* Text between double quotes, where everything that gnuplot might take for its own is a number:
 * between single ones no text can begin with one. */
static void write_quoted(const char *s, FILE *to)
{
	fputc('"', to);
	for (; *s; s++) {
		const unsigned char c = (unsigned char)*s;

		fprintf(to, isalnum(c) || c >= 0x80 || strchr(" .,:;=/_-", c) ? "%c" : "\\%03o", c);
	}
	fputc('"', to);
}

void plot_script(const struct plot_data *p, bool svg, FILE *to)
{
	const bool warms_up = p->warmup_ns > 0 && p->warmup_ns < p->end_ns;
	const double unit = rate_unit(p);

	write_data(p, to);
	write_outages(p, to);
	write_percentiles("all", p->all, to);
	write_percentiles("outside", p->outside, to);
	fprintf(to, "svg = %d\nend = %.6f\nwarmup = %.6f\nmessages = %.6g\n", svg,
		seconds(p->end_ns), warms_up ? seconds(p->warmup_ns) : 0,
		p->all ? (double)p->all->count : 0);
	write_extremes(p, to);
	fprintf(to, "apart = %d\nunit = '%s'\ntitle = ",
		p->outage_count > 0 && p->outside && p->outside->count > 0,
		unit >= 1e6   ? "M"
		: unit >= 1e3 ? "k"
			      : "");
	write_quoted(p->title, to);
	fprintf(to, "\n%s", asset_run_gp);
}
