/* SPDX-License-Identifier: MIT
 * plot_script: three pictures above each other: throughput and latency over time, with outages
 * shaded through both, and latency by percentile.
 */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "echo/base/hist.h"
#include "plot_private.h"

static const char head[] = "set multiplot\n"
			   "set lmargin at screen 0.095\n"
			   "set rmargin at screen 0.975\n"
			   "set border 3 lc rgb '#808080'\n"
			   "set tics nomirror out scale 0.5 tc rgb '#404040'\n"
			   "set grid y lc rgb '#e4e4e4' lt 1 lw 1\n"
			   "set key noenhanced opaque samplen 1.5\n"
			   "set style fill noborder\n";

/* In seconds of the run. */
static double seconds(int64_t ns)
{
	return (double)ns / 1e9;
}

/* A row that is much shorter than the others says little: what came while the run ended. */
static bool is_stub(const struct plot_data *p, size_t i)
{
	const int64_t first_ns = p->rows[0].end_ns - p->rows[0].begin_ns;

	return i > 0 && i == p->count - 1 &&
	       (p->rows[i].end_ns - p->rows[i].begin_ns) * 2 < first_ns;
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
		if (row->latency.count == 0)
			fputc('\n', to); /* the line breaks off */
		else
			fprintf(to, "%.6f %lld %lld %lld\n", middle, (long long)row->latency.p50,
				(long long)row->latency.p99, (long long)row->latency.max);
	}
	fputs("EOD\n", to);
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

static void shade_outages(const struct plot_data *p, FILE *to)
{
	for (unsigned i = 0; i < p->outage_count; i++) {
		const struct outage *o = &p->outages[i];
		const int64_t end_ns = o->recovered_ns < 0 ? p->end_ns : o->recovered_ns;

		fprintf(to,
			"set object %u rect from %.6f, graph 0 to %.6f, graph 1 behind "
			"fc rgb '#f6c9c4' fs solid 0.75 noborder\n",
			i + 1, seconds(o->begin_ns), seconds(end_ns));
	}
	if (p->warmup_ns > 0 && p->warmup_ns < p->end_ns)
		fprintf(to,
			"set object 900 rect from 0, graph 0 to %.6f, graph 1 behind "
			"fc rgb '#ededed' fs solid 0.8 noborder\n",
			seconds(p->warmup_ns));
}

/* "outage 1.03 s" over the shaded parts that are wide enough, "warm-up" over the other. */
static void label_parts(const struct plot_data *p, FILE *to)
{
	const double enough = seconds(p->end_ns) / 12;

	for (unsigned i = 0; i < p->outage_count; i++) {
		const struct outage *o = &p->outages[i];
		const int64_t end_ns = o->recovered_ns < 0 ? p->end_ns : o->recovered_ns;
		const double begin = seconds(o->begin_ns), end = seconds(end_ns);

		fprintf(to, "set label %u '%s%.2f s%s' at %.6f, graph 1.07 %s tc rgb '#a03028'\n",
			i + 1, end - begin < enough && p->outage_count > 3 ? "" : "outage ",
			end - begin, o->recovered_ns < 0 ? ", not over" : "", (begin + end) / 2,
			"center");
	}
	if (seconds(p->warmup_ns) > enough)
		fprintf(to, "set label 900 'warm-up' at %.6f, graph 1.07 center tc rgb '#808080'\n",
			seconds(p->warmup_ns) / 2);
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

/* The name of an axis, where the numbers beside it never are. */
static void name_axis(const char *name, FILE *to)
{
	fprintf(to,
		"set label 901 '%s' at screen 0.018, graph 0.5 center rotate tc rgb '#404040'\n",
		name);
}

static void draw_time(const struct plot_data *p, FILE *to)
{
	const double unit = rate_unit(p);

	fprintf(to, "set xrange [0:%.6f]\n", seconds(p->end_ns));
	shade_outages(p, to);
	label_parts(p, to);
	name_axis("echoes/s", to);
	fprintf(to, "set yrange [0:*]\nset format y '%%g%s'\nset format x ''\n",
		unit >= 1e6   ? "M"
		: unit >= 1e3 ? "k"
			      : "");
	fputs("set tmargin at screen 0.895\nset bmargin at screen 0.695\nunset key\n"
	      "plot $rate u 1:2 w filledcurves y1=0 fc rgb '#9cc3e4' fs solid 0.8 noborder, "
	      "$rate u 1:2 w lines lc rgb '#1f5f9e' lw 1.8\n"
	      "unset label\n",
	      to);
	name_axis("latency", to);
	fputs("set tmargin at screen 0.655\nset bmargin at screen 0.435\n"
	      "set logscale y\nset autoscale y\nset format y '%.0s %cs'\nset format x '%g s'\n"
	      "set key at graph 0.99, graph 1.13 right top horizontal\n"
	      "plot $latency u 1:($4/1e9) w lp pt 7 ps 0.35 lw 1.4 lc rgb '#c0392b' t 'max', "
	      "'' u 1:($3/1e9) w lp pt 7 ps 0.35 lw 1.8 lc rgb '#e08e0b' t 'p99', "
	      "'' u 1:($2/1e9) w lp pt 7 ps 0.35 lw 1.8 lc rgb '#2e8b57' t 'p50'\n"
	      "unset object\n",
	      to);
}

static void draw_percentiles(const struct plot_data *p, FILE *to)
{
	const bool both = p->outage_count > 0 && p->outside && p->outside->count > 0;

	if (!p->all || p->all->count == 0)
		return;
	fprintf(to, "set logscale x\nset xrange [1:%.6g]\n", (double)p->all->count);
	fputs("set tmargin at screen 0.345\nset bmargin at screen 0.085\nset format x\n"
	      "set grid x y\nset xlabel 'percentile' tc rgb '#404040' offset 0,0.3\n"
	      "set xtics ('0%%' 1, '50%%' 2, '90%%' 10, '99%%' 100, '99.9%%' 1e3, '99.99%%' 1e4, "
	      "'99.999%%' 1e5, '99.9999%%' 1e6, '99.99999%%' 1e7)\n"
	      "set key at graph 0.99, graph 0.04 right bottom vertical\n"
	      "plot $all u 1:($2/1e9) w lines lw 2 lc rgb '#c0392b' t 'all messages'",
	      to);
	if (both)
		fputs(", $outside u 1:($2/1e9) w lines lw 2 "
		      "lc rgb '#2e8b57' t 'without the outage'",
		      to);
	fputc('\n', to);
}

void plot_script(const struct plot_data *p, bool svg, FILE *to)
{
	fputs(svg ? "set terminal svg size 900,720 font 'Helvetica,13' background '#ffffff'\n"
		  : "set terminal pngcairo size 1350,1080 font 'Sans,14' fontscale 1.05 "
		    "linewidth 1.4 background '#ffffff'\n",
	      to);
	write_data(p, to);
	write_percentiles("all", p->all, to);
	write_percentiles("outside", p->outside, to);
	fputs(head, to);
	fputs("set label 1000 ", to);
	write_quoted(p->title, to);
	fputs(" at screen 0.5, screen 0.965 center noenhanced tc rgb '#202020'\n", to);
	draw_time(p, to);
	draw_percentiles(p, to);
	fputs("unset multiplot\n", to);
}
