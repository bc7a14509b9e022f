/* SPDX-License-Identifier: MIT
 * table_print: tables for people, at most 80 columns: who won, what a message cost, and how much
 * the measuring itself wavered.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/base/units.h"
#include "echobench/bench.h"
#include "echobench/run/commands.h"
#include "output.h"

enum { CELL_TEXT = 24 };

/* Four or five characters: "873", "67.4k", "1.23M". */
static char *si_text(double v, char text[CELL_TEXT])
{
	static const char *const units[] = { "", "k", "M", "G", "T" };
	size_t u = 0;

	if (!(v >= 1000)) {
		snprintf(text, CELL_TEXT, isnan(v) ? "-" : "%.0f", v);
		return text;
	}
	while (v >= 999.5 && u < ARRAY_LEN(units) - 1) {
		v /= 1000;
		u++;
	}
	snprintf(text, CELL_TEXT, v >= 100 ? "%.0f%s" : v >= 10 ? "%.1f%s" : "%.2f%s", v, units[u]);
	return text;
}

/* Five characters for all that is between 0.001 and 999. */
static char *ratio_text(double ln, char text[CELL_TEXT])
{
	double v = exp(ln);

	snprintf(text, CELL_TEXT,
		 isnan(v)      ? "-"
		 : v >= 99.95  ? "%.1f"
		 : v >= 9.9995 ? "%.2f"
			       : "%.3f",
		 v);
	return text;
}

/* "1.021-1.048"; "-": not known */
static char *interval_text(const struct paired *p, char text[2 * CELL_TEXT])
{
	char low[CELL_TEXT], high[CELL_TEXT];

	snprintf(text, 2 * CELL_TEXT, isnan(p->middle) ? "-" : "%s-%s", ratio_text(p->low, low),
		 ratio_text(p->high, high));
	return text;
}

static const char *bottleneck_text(const struct cell *c)
{
	static const char *const names[] = {
		[BOTTLENECK_UNKNOWN] = "neither",
		[BOTTLENECK_CLIENT] = "client",
		[BOTTLENECK_SERVER] = "server",
	};

	return names[c->bottleneck];
}

char *table_sentence(const struct cell *c, double alpha, char text[WHY_MAX])
{
	static const char *const winners[] = { "no winner", "A wins", "B wins" };
	const struct paired *p = &cell_decider(c)->ratio;
	char middle[CELL_TEXT], low[CELL_TEXT], high[CELL_TEXT];

	if (!cell_measured(c, alpha))
		snprintf(text, WHY_MAX, "not measured: %.290s", c->why);
	else
		snprintf(text, WHY_MAX, "%s B/A %s (%s to %s), %u blocks, %.0f s: %s",
			 figures[c->decided_by].text, ratio_text(p->middle, middle),
			 ratio_text(p->low, low), ratio_text(p->high, high), c->block_count,
			 (double)c->spent_ns / 1e9,
			 c->winner == WINNER_NONE && !c->precise ? "too noisy to say"
								 : winners[c->winner]);
	return text;
}

static void print_load(const struct cell *c, FILE *to)
{
	char conns[CELL_TEXT], size[UNITS_MAX];

	fprintf(to, "%6s%8s%5llu %-6s", si_text((double)c->load.connections, conns),
		units_bytes((double)c->load.size, 3, size), (unsigned long long)c->load.pipeline,
		bench_mode_names[c->load.mode]);
}

/* Whether this cell compares other servers than the one before. */
static bool new_pair(const struct bench *r, unsigned i)
{
	return i == 0 || r->cells[i].config != r->cells[i - 1].config ||
	       r->cells[i].server[SIDE_B] != r->cells[i - 1].server[SIDE_B];
}

static void print_side(const struct cell *c, enum side s, FILE *to)
{
	bool own = c->client[SIDE_A][0] || c->client[SIDE_B][0];

	escape_line(to, "%c  %.76s", 'A' + s, c->server[s] ? c->server[s] : c->client[s]);
	if (own && c->server[s])
		escape_line(to, "   client: %.68s", c->client[s][0] ? c->client[s] : "echoload");
}

static void print_pair(const struct cell *c, FILE *to)
{
	fputc('\n', to);
	print_side(c, SIDE_A, to);
	print_side(c, SIDE_B, to);
	if (cell_figure(c->config->compare) != FIGURES)
		escape_line(to, "   compared: %.66s", c->config->compare);
}

static void print_winner(const struct cell *c, FILE *to)
{
	static const char *const names[] = { "none", "A", "B" };
	const struct paired *p = &cell_decider(c)->ratio;
	char a[CELL_TEXT], b[CELL_TEXT], middle[CELL_TEXT], range[2 * CELL_TEXT];

	fprintf(to, "%8s%8s%7s %s %-4s %-7s %s\n", si_text(c->middle[SIDE_A].rate, a),
		si_text(c->middle[SIDE_B].rate, b), ratio_text(p->middle, middle),
		interval_text(p, range), figures[c->decided_by].text, bottleneck_text(c),
		c->winner == WINNER_NONE && !c->precise ? "?" : names[c->winner]);
}

static void print_winners(const struct bench *r, FILE *to)
{
	for (unsigned i = 0; i < r->count; i++) {
		const struct cell *c = &r->cells[i];

		if (new_pair(r, i)) {
			print_pair(c, to);
			fprintf(to, " conns    size pipe mode       A/s     B/s    B/A    "
				    "interval of  limit   won\n");
		}
		print_load(c, to);
		if (cell_measured(c, r->alpha))
			print_winner(c, to);
		else
			escape_line(to, " not measured: %.39s", c->why);
	}
}

/* NAN: "-" */
static char *fixed_text(double v, int digits, char text[CELL_TEXT])
{
	snprintf(text, CELL_TEXT, isnan(v) ? "-" : "%.*f", digits, v);
	return text;
}

static void print_costs(const struct bench *r, FILE *to)
{
	fprintf(to, "\n                        server's CPU    switches   "
		    "syscalls              p99\n"
		    " conns    size pipe mode       A      B "
		    "    A     B     A     B       A       B\n");
	for (unsigned i = 0; i < r->count; i++) {
		const struct cell *c = &r->cells[i];
		char p99[SIDES][UNITS_MAX], calls[SIDES][CELL_TEXT], cpu[CELL_TEXT];

		if (!cell_measured(c, r->alpha))
			continue;
		for (unsigned s = 0; s < SIDES; s++) {
			snprintf(p99[s], sizeof(p99[s]), "-");
			if (!isnan(c->middle[s].p99_ns))
				units_time((int64_t)c->middle[s].p99_ns, 3, p99[s]);
			fixed_text(c->syscalls[s] < 0 ? NAN : c->syscalls[s], 2, calls[s]);
		}
		print_load(c, to);
		for (unsigned s = 0; s < SIDES; s++)
			fprintf(to, "%7s", fixed_text(c->middle[s].cpu_ns, 0, cpu));
		for (unsigned s = 0; s < SIDES; s++)
			fprintf(to, "%6s", fixed_text(c->middle[s].switches, 3, cpu));
		fprintf(to, "%6s%6s%8s%8s\n", calls[0], calls[1], p99[0], p99[1]);
	}
	fprintf(to, "CPU in ns, switches, system calls: of the server, for a message\n");
	for (unsigned i = 0; i < r->count; i++) {
		const struct cell *c = &r->cells[i];

		if (cell_measured(c, r->alpha) && cell_uncounted(c) < 0) {
			fprintf(to, "-: not measured: %s%s\n", strerror(-cell_uncounted(c)),
				cell_uncounted(c) == -EOPNOTSUPP ? "" : " (counting needs root)");
			break;
		}
	}
}

static void print_other(const struct cell *c, FILE *to)
{
	const struct comparison *d = cell_decider(c);
	const enum figure other = c->decided_by == FIGURE_CPU ? FIGURE_RATE : FIGURE_CPU;
	const struct paired *o = &c->of[other].ratio;
	char noise[2 * CELL_TEXT], range[2 * CELL_TEXT];

	fprintf(to, " %s %-4s %-11s%5u%5u%5u%5u%5.0f\n", interval_text(&d->noise, noise),
		figures[other].text, interval_text(o, range), c->rounds, c->stolen, c->throttled,
		c->disturbed, (double)c->spent_ns / 1e9);
}

static void print_noise(const struct bench *r, FILE *to)
{
	fprintf(to, "\n conns    size pipe mode   A against A the other B/A  rounds "
		    "stol thro dist   s\n");
	for (unsigned i = 0; i < r->count; i++) {
		const struct cell *c = &r->cells[i];

		if (!cell_measured(c, r->alpha))
			continue;
		print_load(c, to);
		print_other(c, to);
	}
	fprintf(to,
		"rounds in which: stol, the hypervisor stole time; thro, a quota was used up or a\n"
		"CPU too hot; dist, others had the CPU\n");
}

/* Cells that differ by their clients are named after these: "echoload" is no backend. */
static bool recommends_backend(const struct bench *r)
{
	for (unsigned i = 0; i < r->count * SIDES; i++) {
		const char *server = r->cells[i / SIDES].server[i % SIDES];

		if (server && r->cells[i / SIDES].name[i % SIDES] == server &&
		    strcmp(server, r->recommend) == 0)
			return command_is_backend(r->cells[i / SIDES].config, server);
	}
	return false;
}

void table_recommendation(const struct bench *r, FILE *to)
{
	if (recommends_backend(r)) {
		fputs("[server]\n", to);
		escape_line(to, "backend = %s ; %s", r->recommend, r->recommend_why);
		return;
	}
	if (strcmp(r->recommend, "either") != 0)
		escape_line(to, "; use %.200s", r->recommend);
	escape_line(to, "; %s", r->recommend_why);
}

static void print_reasons(const struct bench *r, FILE *to)
{
	for (unsigned i = 0; i < r->count; i++) {
		const struct cell *c = &r->cells[i];
		char load[80];

		if (!cell_measured(c, r->alpha) && strlen(c->why) > 39)
			fprintf(to, "\nnot measured, %s:\n",
				cell_workload_text(&c->load, load, sizeof(load)));
		if (!cell_measured(c, r->alpha) && strlen(c->why) > 39)
			escape_line(to, "  %s", c->why);
	}
}

static void print_baseline(const struct bench *r, FILE *to)
{
	char said[WHY_MAX];

	fputc('\n', to);
	escape_line(to, "against %.60s", r->plans[0].config.baseline);
	for (unsigned i = 0; i < r->count; i++) {
		print_load(&r->cells[i], to);
		fprintf(to, " %s\n", baseline_sentence(r, i, said));
	}
}

void table_print(const struct bench *r, FILE *to)
{
	bool any = false;

	for (unsigned i = 0; i < r->count; i++)
		any |= cell_measured(&r->cells[i], r->alpha);
	print_winners(r, to);
	if (any) {
		print_costs(r, to);
		print_noise(r, to);
	}
	print_reasons(r, to);
	if (r->baseline)
		print_baseline(r, to);
	fprintf(to, "\n%g %% confidence for all cells together", r->plans[0].config.confidence);
	if (r->floor_ns >= 0)
		fprintf(to, "; floor %.0f ns for one echo", r->floor_ns);
	fputc('\n', to);
	escape_line(to, "exit %d  %s", r->exit_code, r->exit_reason);
}
