/* SPDX-License-Identifier: MIT
 * plot: what was measured, as data and variables of gnuplot, above the script bench.gp. Both are
 * written beside the pictures, so that anybody can change them.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/units.h"
#include "echo/lab/gnuplot.h"
#include "echobench/bench.h"
#include "output.h"

extern const char asset_bench_gp[];

/* gnuplot's enhanced text and quotes: what they, or the lines of a script, would take for theirs
 * becomes a blank. */
static const char *plain(const char *s, char text[WHY_MAX])
{
	size_t n = 0;

	for (; n < WHY_MAX - 1 && s[n]; n++)
		text[n] = (unsigned char)s[n] < ' ' || strchr("\"\\{}^@&~$'`", s[n]) ? ' ' : s[n];
	text[n] = '\0';
	return text;
}

static void put_label(const struct bench *r, FILE *f)
{
	char kernel[WHY_MAX], cpu[WHY_MAX], version[WHY_MAX], day[32] = "";
	time_t seconds = (time_t)(r->start_unix_ns / SEC(1));
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(day, sizeof(day), "%Y-%m-%d %H:%M UTC", &tm);
	fprintf(f, "label = \"echobench %s; %s; %s; %s; %g %% for all cells together\"\n",
		plain(r->provenance.version, version), day, plain(r->provenance.kernel, kernel),
		plain(r->provenance.cpu, cpu), r->plans[0].config.confidence);
}

/* The last part of a command's first word: "socat". Names of backends are short. */
static const char *short_name(const char *side, char text[WHY_MAX])
{
	size_t len = strcspn(side, " "), first = len;

	while (first > 0 && side[first - 1] != '/')
		first--;
	snprintf(text, WHY_MAX, "%.*s", len - first > 12 ? 12 : (int)(len - first), side + first);
	return text;
}

static void put_ratios(const struct bench *r, FILE *f)
{
	char size[UNITS_MAX], a[WHY_MAX], b[WHY_MAX], name[WHY_MAX];
	unsigned n = 0;

	fprintf(f, "$ratio << EOD\n");
	for (unsigned i = 0; i < r->count; i++) {
		const struct cell *c = &r->cells[i];
		const struct paired *p = &cell_decider(c)->ratio, *z = &cell_decider(c)->noise;

		if (!cell_measured(c, r->alpha))
			continue;
		snprintf(name, sizeof(name), "%s / %s", short_name(c->name[SIDE_B], b),
			 short_name(c->name[SIDE_A], a));
		fprintf(f, "%u %.6f %.6f %.6f %.6f %.6f \"%s of %s: %llu x %s, %llu deep, %s\"\n",
			n++, exp(p->middle), exp(p->low), exp(p->high), exp(z->low), exp(z->high),
			figures[c->decided_by].text, plain(name, a),
			(unsigned long long)c->load.connections,
			units_bytes((double)c->load.size, 3, size),
			(unsigned long long)c->load.pipeline, bench_mode_names[c->load.mode]);
	}
	fprintf(f, "EOD\nmeasured = %u\n", n);
}

/* Whether two cells are points of the same lines: same servers, size, depth and mode. */
static bool same_lines(const struct cell *a, const struct cell *b)
{
	return a->load.size == b->load.size && a->load.pipeline == b->load.pipeline &&
	       a->load.mode == b->load.mode && strcmp(a->name[SIDE_A], b->name[SIDE_A]) == 0 &&
	       strcmp(a->name[SIDE_B], b->name[SIDE_B]) == 0;
}

static bool begins_lines(const struct bench *r, unsigned i)
{
	for (unsigned k = 0; k < i; k++) {
		if (same_lines(&r->cells[k], &r->cells[i]))
			return false;
	}
	return true;
}

/* The points of one line: of this side, in all cells like this one. */
static void put_line(const struct bench *r, const struct cell *first, unsigned side, FILE *f)
{
	char title[WHY_MAX], name[WHY_MAX];

	fprintf(f, "\"%s %lluB p%llu %s\"\n", plain(short_name(first->name[side], name), title),
		(unsigned long long)first->load.size, (unsigned long long)first->load.pipeline,
		bench_mode_names[first->load.mode]);
	for (unsigned i = 0; i < r->count; i++) {
		const struct cell *c = &r->cells[i];

		if (same_lines(c, first) && cell_measured(c, r->alpha))
			fprintf(f, "%llu %.1f %.1f\n", (unsigned long long)c->load.connections,
				c->middle[side].rate, c->middle[side].cpu_ns);
	}
}

/* The data of all lines, with two empty lines between them. */
static void put_loads(const struct bench *r, FILE *f)
{
	unsigned lines = 0;

	fprintf(f, "$load << EOD\n");
	for (unsigned i = 0; i < r->count; i++) {
		for (unsigned side = 0; side < SIDES && begins_lines(r, i); side++) {
			if (lines++ > 0)
				fprintf(f, "\n\n");
			put_line(r, &r->cells[i], side, f);
		}
	}
	fprintf(f, "EOD\nlines = %u\nconnections = '", lines);
	for (unsigned i = 0; i < r->count; i++)
		fprintf(f, " %llu", (unsigned long long)r->cells[i].load.connections);
	fprintf(f, "'\n");
}

static void put_script(const struct bench *r, const char *prefix, FILE *f)
{
	fprintf(f, "# made by echobench; change it and run gnuplot on it\n");
	fprintf(f, "prefix = '%s'\ncells = %u\n", prefix, r->count);
	put_label(r, f);
	put_ratios(r, f);
	put_loads(r, f);
	fputs(asset_bench_gp, f);
}

int plot_write(const struct bench *r, const char *prefix, char why[WHY_MAX])
{
	char script[PATH_MAX];
	const char *wrong;
	FILE *f;

	if (strpbrk(prefix, "'\"$`\\\n")) {
		snprintf(why, WHY_MAX, "a name without quotes, please");
		return -EINVAL;
	}
	snprintf(script, sizeof(script), "%s.gp", prefix);
	f = fopen(script, "w+e");
	if (!f) {
		snprintf(why, WHY_MAX, "%.250s: %s", script, strerror(errno));
		return -EIO;
	}
	put_script(r, prefix, f);
	wrong = gnuplot_run(f, NULL);
	if (wrong)
		snprintf(why, WHY_MAX, "%s; the script is %.150s", wrong, script);
	fclose(f);
	return wrong ? -EIO : 0;
}
