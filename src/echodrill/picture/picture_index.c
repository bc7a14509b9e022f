/* SPDX-License-Identifier: MIT
 * picture_index: all drills of a run on one page: when clients knew, as a chart with a logarithmic
 * scale, and each drill with its verdict and its picture.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/base/units.h"
#include "echodrill/report/report.h"
#include "echodrill/script/detector.h"
#include "echodrill/script/drill.h"
#include "picture.h"

enum { LEFT = 190, WIDTH = 900, RIGHT = 780, NEVER = 850, ROW = 26, TOP = 54, ASIDE = 14 };

static const char head[] =
	"<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
	"style-src 'unsafe-inline'; img-src 'self' file: data:\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<link rel=\"icon\" href=\"data:,\">\n<title>Failure drills</title>\n<style>\n"
	":root{color-scheme:light dark;--ink:light-dark(#16191d,#e8eaed);"
	"--soft:light-dark(#545b66,#a8b0bb);--page:light-dark(#fff,#14171c);"
	"--edge:light-dark(#dde1e6,#2c323b);--ok:light-dark(#167a48,#4fcf8e);"
	"--no:light-dark(#b3261e,#ff8a80);--link:light-dark(#1f5fbf,#7db5ff);"
	"--d0:light-dark(#5f6875,#a3adba);--d1:light-dark(#1f66b8,#6fb3f8);"
	"--d2:light-dark(#b05a00,#f2b04a);--d3:light-dark(#167a48,#4fcf8e);"
	"--d4:light-dark(#b52f7b,#f58ac2)}\n"
	"body{margin:0 auto;padding:1.5rem;max-width:72rem;background:var(--page);color:var(--ink);"
	"font:15px/1.5 system-ui,sans-serif}\n"
	"table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.3rem .8rem .3rem 0;"
	"border-bottom:1px solid var(--edge);vertical-align:top;overflow-wrap:break-word}\n"
	"th{color:var(--soft);font-weight:500}a{color:var(--link)}.pass{color:var(--ok)}"
	".fail,.inconclusive{color:var(--no)}.box{overflow-x:auto}\n"
	"svg text{fill:var(--ink);font:12px system-ui,sans-serif}svg .soft{fill:var(--soft)}"
	"svg line{stroke:var(--edge)}\n"
	"figure{margin:2rem 0;overflow-x:auto}figure img{border:1px solid var(--edge);border-radius:8px;"
	"max-width:100%;height:auto}\n</style>\n</head>\n<body>\n<main>\n<h1>Failure drills</h1>\n";

/* ---- the chart ---- */

/* Those that never know stand side by side at the edge. */
static double never_x(const struct detector *d)
{
	return NEVER + ASIDE * ((double)(d - detectors) - (DETECTOR_COUNT - 1) / 2.0);
}

/* From 1 ms to the right edge's @most. */
static double x_of(int64_t ns, double most)
{
	const double log_ms = log10(fmax((double)ns / 1e6, 1)), decades = log10(most / 1e6);

	return LEFT + (RIGHT - LEFT) * log_ms / decades;
}

/* The longest time that is drawn, a power of ten. */
static double longest(const struct summary *at, unsigned count)
{
	double most = 1e9;

	for (unsigned i = 0; i < count; i++)
		while (at[i].detector && at[i].knew_ns > (int64_t)most)
			most *= 10;
	return most;
}

/* The row of a drill: rows are in the order in which drills come. */
static unsigned row_of(const struct summary *at, unsigned i)
{
	const struct drill *last = NULL;
	unsigned rows = 0;

	for (unsigned k = 0; k <= i; k++) {
		if (!at[k].detector)
			continue;
		rows += at[k].drill != last;
		last = at[k].drill;
	}
	return rows > 0 ? rows - 1 : 0;
}

static void put_axis(double most, unsigned rows, FILE *to)
{
	char text[UNITS_MAX];

	for (double ns = 1e6; ns <= most; ns *= 10) {
		const double x = x_of((int64_t)ns, most);

		fprintf(to,
			"<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%u\"/><text class=\"soft\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n",
			x, TOP - 14, x, TOP + rows * ROW, x, TOP - 20,
			units_time((int64_t)ns, 1, text));
	}
	fprintf(to,
		"<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%u\"/><text class=\"soft\" x=\"%d\" y=\"%d\" text-anchor=\"middle\">never</text>\n",
		NEVER, TOP - 14, NEVER, TOP + rows * ROW, NEVER, TOP - 20);
}

/* Shapes differ as colours do. */
static void put_mark(const struct summary *s, double x, double y, FILE *to)
{
	static const char *const shapes[DETECTOR_COUNT] = {
		"M-5 -5h10v10h-10z",     "M0 -6L6 5h-12z",
		"M0 -6l6 6l-6 6l-6 -6z", "M-6 -2h4v-4h4v4h4v4h-4v4h-4v-4h-4z",
		"M-6 -5h12l-6 11z",
	};
	const unsigned d = (unsigned)(s->detector - detectors);
	char text[UNITS_MAX];

	fprintf(to, "<path transform=\"translate(%.1f %.1f)\" d=\"%s\" fill=\"var(--d%u)\"><title>",
		x, y, shapes[d], d);
	escape_markup(to, s->name);
	fprintf(to, ": %s</title></path>\n", report_knew_text(s, text));
}

static void put_chart(const struct summary *at, unsigned count, FILE *to)
{
	const double most = longest(at, count);
	unsigned rows = 0;

	for (unsigned i = 0; i < count; i++)
		if (at[i].detector)
			rows = row_of(at, i) + 1;
	if (rows == 0)
		return;
	fprintf(to,
		"<h2>How soon a client knows, by the means it has</h2>\n<div class=\"box\" "
		"role=\"group\" tabindex=\"0\" aria-label=\"Chart\"><svg "
		"width=\"%d\" height=\"%u\" role=\"img\" aria-label=\"Time until the client "
		"knew; the table below has the same\">\n",
		WIDTH, TOP + rows * ROW + 10);
	for (unsigned d = 0; d < DETECTOR_COUNT; d++) {
		struct summary key = { .detector = &detectors[d], .sound = true, .knew_ns = -1 };

		put_mark(&key, LEFT + d * 110, 12, to);
		fprintf(to, "<text x=\"%u\" y=\"16\">%s</text>\n", LEFT + d * 110 + 10,
			detectors[d].name);
	}
	put_axis(most, rows, to);
	for (unsigned i = 0; i < count; i++) {
		const double y = TOP + row_of(at, i) * ROW + ROW / 2.0;

		if (!at[i].detector)
			continue;
		if (i == 0 || at[i - 1].drill != at[i].drill) {
			fprintf(to, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 14,
				y + 4);
			escape_markup(to, at[i].drill->name);
			fputs("</text>\n", to);
		}
		if (at[i].done && (at[i].sound || at[i].knew_ns >= 0))
			put_mark(&at[i],
				 at[i].knew_ns < 0 ? never_x(at[i].detector)
						   : x_of(at[i].knew_ns, most),
				 y, to);
	}
	fputs("</svg></div>\n", to);
}

/* ---- the table ---- */

static void put_row(const struct summary *s, FILE *to)
{
	char knew[UNITS_MAX];

	fputs("<tr><td><a href=\"#", to);
	escape_markup(to, s->file);
	fputs("\">", to);
	escape_markup(to, s->name);
	fprintf(to, "</a></td><td class=\"%s\">%s</td><td>%s</td><td>",
		judge_verdict_name(s->verdict), judge_verdict_name(s->verdict),
		report_knew_text(s, knew));
	escape_markup(to, s->knew);
	fputs("</td><td>", to);
	escape_markup(to, s->drill->story.count > 0 ? s->drill->story.at[0] : "");
	fputs("</td></tr>\n", to);
}

static void put_figure(const struct summary *s, FILE *to)
{
	fputs("<figure id=\"", to);
	escape_markup(to, s->file);
	fputs("\"><a href=\"", to);
	escape_markup(to, s->file);
	fputs(".svg\"><img loading=\"lazy\" src=\"", to);
	escape_markup(to, s->file);
	fputs(".svg\" alt=\"Sequence diagram of ", to);
	escape_markup(to, s->name);
	fputs("\"></a></figure>\n", to);
}

int picture_index(const struct summary *at, unsigned count, FILE *to)
{
	fputs(head, to);
	put_chart(at, count, to);
	fputs("<h2>Drills</h2>\n<div class=\"box\" role=\"group\" tabindex=\"0\" aria-label=\"Drills\">"
	      "<table>\n<tr><th>drill</th><th>verdict</th><th>the client knew "
	      "after</th><th>how</th><th>about</th></tr>\n",
	      to);
	for (unsigned i = 0; i < count; i++)
		if (at[i].done)
			put_row(&at[i], to);
	fputs("</table></div>\n", to);
	for (unsigned i = 0; i < count; i++)
		if (at[i].done)
			put_figure(&at[i], to);
	fputs("</main>\n</body>\n</html>\n", to);
	return fflush(to) == 0 && !ferror(to) ? 0 : -EIO;
}
