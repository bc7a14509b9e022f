/* SPDX-License-Identifier: MIT
 * bench: the program: options, and which benchmarks run. Options and outputs are Google
 * Benchmark's, so that its compare.py and what else reads its JSON work with a C program.
 */
#include "bench_private.h"

#include <errno.h>
#include <inttypes.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "echo/lab/child.h"
#include "echo/lab/outfile.h"

enum { EXIT_USAGE = 2, EXIT_ENVIRONMENT = 4 };

struct settings {
	const char *filter, *min_time, *repetitions, *format, *out, *out_format;
	bool list, report_aggregates, display_aggregates, help;
	double min_seconds;
	unsigned repeat;
};

struct harness {
	const char *program;
	struct settings set;
	regex_t filter;
	bool inverted; /* the filter began with '-' */
	int name_width;
	struct bench_rows rows;
};

static struct bench_case *cases, **cases_end = &cases;

void bench_register(struct bench_case *c)
{
	*cases_end = c;
	cases_end = &c->next;
}

/* Keeps a row for the files and prints it, where aggregates alone are not what was asked for. */
static void show(void *ctx, const struct bench_row *row)
{
	struct harness *h = ctx;
	bool hide = h->set.display_aggregates && h->set.repeat > 1 && !row->aggregate;

	if (!h->set.report_aggregates || h->set.repeat == 1 || row->aggregate)
		bench_rows_add(&h->rows, row);
	else
		hide = true;
	if (!hide && strcmp(h->set.format, "console") == 0)
		bench_console_row(stdout, h->name_width, row);
}

static bool chosen(const struct harness *h, const char *name)
{
	return (regexec(&h->filter, name, 0, NULL, 0) == 0) != h->inverted;
}

/* What is done with each benchmark that the filter lets through. */
typedef void visit_fn(struct harness *h, const struct bench_case *c, size_t arg,
		      struct bench_row *row);

static unsigned each_case(struct harness *h, visit_fn *visit)
{
	unsigned family = 0, count = 0;

	for (const struct bench_case *c = cases; c; c = c->next) {
		unsigned instance = 0;

		for (size_t i = 0; i == 0 || i < c->arg_count; i++) {
			struct bench_row row = { .family = family, .instance = instance };

			snprintf(row.run_name, sizeof(row.run_name),
				 c->arg_count > 0 ? "%s/%" PRId64 : "%s", c->name,
				 c->arg_count > 0 ? c->args[i] : 0);
			if (!chosen(h, row.run_name))
				continue;
			row.repetitions = h->set.repeat;
			visit(h, c, i, &row);
			instance++;
		}
		family += instance > 0;
		count += instance;
	}
	return count;
}

static void list_case(struct harness *h, const struct bench_case *c, size_t arg,
		      struct bench_row *row)
{
	(void)h;
	(void)c;
	(void)arg;
	printf("%s\n", row->run_name);
}

static void measure_name(struct harness *h, const struct bench_case *c, size_t arg,
			 struct bench_row *row)
{
	int width = (int)strlen(row->run_name) + (h->set.repeat > 1 ? (int)strlen("_median") : 0);

	(void)c;
	(void)arg;
	if (width > h->name_width)
		h->name_width = width;
}

static void run_case(struct harness *h, const struct bench_case *c, size_t arg,
		     struct bench_row *row)
{
	struct bench_plan plan = { h->set.min_seconds, h->set.repeat, show, h };

	bench_run(&plan, c, arg, row);
}

static __attribute__((noreturn)) void usage(const struct harness *h, const char *what,
					    const char *value)
{
	fprintf(stderr, "%s: %s: %s (try --help)\n", h->program, value, what);
	exit(EXIT_USAGE);
}

static __attribute__((noreturn)) void help(const struct harness *h)
{
	printf("usage: %s [OPTIONS]\n"
	       "  --benchmark_list_tests              names only\n"
	       "  --benchmark_filter=REGEX            extended; -REGEX: all others\n"
	       "  --benchmark_min_time=SECONDS        CPU time of one run (0.5; 0.5s)\n"
	       "  --benchmark_repetitions=N           runs of each, and their aggregates\n"
	       "  --benchmark_report_aggregates_only  leave single repetitions out\n"
	       "  --benchmark_display_aggregates_only leave them out of the table only\n"
	       "  --benchmark_format=console|json     what goes to stdout\n"
	       "  --benchmark_out=FILE                and into a file\n"
	       "  --benchmark_out_format=json|console\n"
	       "Times are for each iteration, rates by CPU time of the benchmark's thread.\n"
	       "Exit: 0 ran, 2 usage or nothing matches, 4 a file cannot be written.\n",
	       h->program);
	exit(0);
}

/* The value of --name=value or --name, or NULL when the argument is another option. */
static const char *option_value(const char *arg, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, name, len) != 0)
		return NULL;
	arg += 2 + len;
	return *arg == '\0' ? arg : *arg == '=' ? arg + 1 : NULL;
}

static bool parse_bool(const struct harness *h, const char *text, const char *arg)
{
	static const char *const on[] = { "", "1", "true", "yes" }, *const off[] = { "0", "false",
										     "no" };

	for (size_t i = 0; i < 4; i++)
		if (strcmp(text, on[i]) == 0)
			return true;
	for (size_t i = 0; i < 3; i++)
		if (strcmp(text, off[i]) == 0)
			return false;
	usage(h, "not true or false", arg);
}

static void parse_option(struct harness *h, const char *arg)
{
	struct settings *s = &h->set;
	const struct {
		const char *name, **text;
		bool *flag;
	} rows[] = {
		{ "benchmark_filter", &s->filter, NULL },
		{ "benchmark_min_time", &s->min_time, NULL },
		{ "benchmark_repetitions", &s->repetitions, NULL },
		{ "benchmark_format", &s->format, NULL },
		{ "benchmark_out", &s->out, NULL },
		{ "benchmark_out_format", &s->out_format, NULL },
		{ "benchmark_list_tests", NULL, &s->list },
		{ "benchmark_report_aggregates_only", NULL, &s->report_aggregates },
		{ "benchmark_display_aggregates_only", NULL, &s->display_aggregates },
		{ "help", NULL, &s->help },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *value = option_value(arg, rows[i].name);

		if (value && rows[i].flag)
			*rows[i].flag = parse_bool(h, value, arg);
		else if (value && *value)
			*rows[i].text = value;
		else if (value)
			usage(h, "needs a value", arg);
		if (value)
			return;
	}
	usage(h, "unknown option", arg);
}

static void check_format(const struct harness *h, const char *format)
{
	if (strcmp(format, "console") != 0 && strcmp(format, "json") != 0)
		usage(h, "not a format: console or json", format);
}

/* Reads the command line or ends the program with 2. */
static void parse(struct harness *h, int argc, char **argv)
{
	struct settings *s = &h->set;
	char *end;
	long count;

	for (int i = 1; i < argc; i++)
		parse_option(h, argv[i]);
	if (s->help)
		help(h);
	check_format(h, s->format);
	check_format(h, s->out_format);
	s->min_seconds = strtod(s->min_time, &end);
	if (end == s->min_time || (*end && strcmp(end, "s") != 0) ||
	    !(s->min_seconds > 0 && s->min_seconds <= 3600))
		usage(h, "not a time: seconds above 0, at most 3600", s->min_time);
	count = strtol(s->repetitions, &end, 10);
	if (*end || count < 1 || count > 10000)
		usage(h, "not a number of repetitions: 1 to 10000", s->repetitions);
	s->repeat = (unsigned)count;
	h->inverted = s->filter[0] == '-';
	if (regcomp(&h->filter, s->filter + h->inverted, REG_EXTENDED | REG_NOSUB) != 0)
		usage(h, "not a regular expression", s->filter);
}

static __attribute__((noreturn)) void cannot_write(const struct harness *h, int e)
{
	fprintf(stderr, "%s: cannot write %s: %s\n", h->program, h->set.out, strerror(-e));
	exit(EXIT_ENVIRONMENT);
}

/* The table and the JSON in one go, for a file. Returns 0 or -errno. */
static int write_all(const struct harness *h, FILE *f, const char *format)
{
	if (strcmp(format, "json") == 0)
		return bench_json(f, h->program, &h->rows);
	bench_console_head(f, h->name_width);
	for (size_t i = 0; i < h->rows.count; i++)
		bench_console_row(f, h->name_width, &h->rows.rows[i]);
	return ferror(f) ? -EIO : 0;
}

/* Runs everything. The file appears whole, at the end; that it can be written is known at once. */
static void run(struct harness *h)
{
	struct outfile file = { .f = NULL };
	int r = h->set.out ? outfile_open(&file, h->set.out, false) : 0;

	if (r < 0)
		cannot_write(h, r);
	child_unblock_signals(); /* whoever interrupts a run of minutes is obeyed at once */
	if (strcmp(h->set.format, "console") == 0)
		bench_console_head(stdout, h->name_width);
	each_case(h, run_case);
	if (strcmp(h->set.format, "json") == 0)
		write_all(h, stdout, "json");
	if (!h->set.out)
		return;
	r = outfile_close(&file, write_all(h, file.f, h->set.out_format));
	if (r < 0)
		cannot_write(h, r);
}

int main(int argc, char **argv)
{
	struct harness h = {
		.program = argv[0],
		.set = { .filter = ".",
			 .min_time = "0.5",
			 .repetitions = "1",
			 .format = "console",
			 .out_format = "json" },
		.name_width = (int)strlen("Benchmark"),
	};

	parse(&h, argc, argv);
	if (each_case(&h, h.set.list ? list_case : measure_name) == 0)
		usage(&h, "no benchmark has such a name", h.set.filter);
	if (!h.set.list)
		run(&h);
	regfree(&h.filter);
	free(h.rows.rows);
	return 0;
}
