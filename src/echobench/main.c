/* SPDX-License-Identifier: MIT
 * main: reads the command line and every configuration that it names, runs all cells, prints.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echo/base/output.h"
#include "echo/lab/child.h"
#include "echo/lab/tojson.h"
#include "echobench/report/output.h"
#include "echobench/run/commands.h"
#include "echobench/run/server.h"
#include "opts.h"

extern char **environ;

enum { WORDS_MAX = 512 }; /* of the command line */

static const struct opt_command bench_commands[] = {
	{ .name = "run", .operands = " [FILE]..." },
	{ .name = "list", .operands = "" },
	{ .name = "show", .operands = " NAME..." },
	{ .name = NULL },
};

static void plan_init(struct plan *p)
{
	p->opts.program = "echobench";
	p->opts.usage = "run [OPTION]... [FILE]... | list | show NAME...";
	p->opts.commands = bench_commands;
	p->opts.about = "Compares two TCP echo servers, or two backends of echod, in interleaved "
			"rounds, and names a winner only where there is one.";
	p->opts.after = bench_after;
	opt_add(&p->opts, "bench", bench_opts, &p->config);
}

/* Returns an exit code; @e: -errno. */
static int plan_failed(const struct plan *p, int e)
{
	log_error("%s", p->opts.error);
	return program_exit_unread(-e);
}

static int plan_check(struct plan *p)
{
	int r = known_read(&p->opts, &p->config);

	if (r == 0)
		r = command_check(&p->opts, &p->config);
	return r < 0 ? r : bench_check(&p->opts, &p->config);
}

/* Reads the options of the command line again, with this file under them. */
static int plan_read(struct plan *p, char *file, char *program, char **options, int count)
{
	char dash_f[] = "-f", *words[WORDS_MAX];
	int r;

	plan_init(p);
	p->file = file;
	words[0] = program;
	words[1] = dash_f;
	words[2] = file;
	memcpy(words + 3, options, (size_t)count * sizeof(*words));
	words[3 + count] = NULL;
	r = opt_load(&p->opts, 3 + count, words, environ);
	if (r >= 0)
		r = plan_check(p);
	return r < 0 ? plan_failed(p, r) : EXIT_OK;
}

/* Each FILE is a plan; without one, the command line is, which is read already. @words: the
 * program, its operands, then the options. Returns an exit code. */
static int read_plans(struct bench *r, int operands, char **words, int argc)
{
	char **options = words + 1 + operands;
	int e, code = EXIT_OK;

	if (operands - 1 > CONFIGS_MAX) {
		log_error("more than %d configurations", CONFIGS_MAX);
		return EXIT_USAGE;
	}
	r->plan_count = operands > 1 ? (unsigned)operands - 1 : 1;
	if (operands == 1) {
		r->plans[0].file = r->plans[0].opts.file;
		e = plan_check(&r->plans[0]);
		return e < 0 ? plan_failed(&r->plans[0], e) : EXIT_OK;
	}
	for (unsigned i = 0; i < r->plan_count && code == EXIT_OK; i++) {
		memset(&r->plans[i], 0, sizeof(r->plans[i]));
		code = plan_read(&r->plans[i], words[2 + i], words[0], options,
				 argc - 1 - operands);
	}
	return code;
}

static int cannot_write(const char *name, int error)
{
	log_error("cannot write %s: %s", name, output_strerror(-error));
	return EXIT_ENVIRONMENT;
}

/* Pictures first: if they cannot be drawn, the result says so. */
static void draw(struct bench *r, const struct bench_config *c)
{
	char why[WHY_MAX] = "";
	bool any = false;

	if (!c->plot[0] || r->interrupted_by)
		return;
	for (unsigned i = 0; i < r->count; i++)
		any |= cell_measured(&r->cells[i], r->alpha);
	if (!any) {
		log_warn("no pictures: nothing was measured");
		return;
	}
	if (plot_write(r, c->plot, why) == 0)
		return;
	log_error("no pictures: %s", why);
	r->exit_code = EXIT_ENVIRONMENT;
	snprintf(r->exit_reason, WHY_MAX, "no pictures: %.300s", why);
}

static int write_results(struct bench *r)
{
	const struct bench_config *c = &r->plans[0].config;
	int e;

	draw(r, c);
	e = bench_json_keep(r);
	if (e < 0)
		r->exit_code = cannot_write(c->json, e); /* people get to see it all the same */
	child_unblock_signals(); /* printing may block on the reader: signals end us again */
	if (c->output == OUTPUT_TEXT)
		table_print(r, stdout);
	if (c->output != OUTPUT_JSON && c->recommend)
		table_recommendation(r, stdout);
	if (c->output == OUTPUT_JSON) {
		e = bench_json_print(r, stdout);
		if (e < 0)
			return cannot_write("standard output", e);
	}
	if (tojson_no_memory())
		return cannot_write("what was measured", -ENOMEM);
	return program_exit(r->exit_code);
}

/* What can be known to be wrong before anything is measured. Returns an exit code. */
static int check_plans(struct bench *r)
{
	unsigned needed = cell_blocks_needed(bench_cell_alpha(r));
	char why[WHY_MAX] = "";
	const char *key;
	int e;

	for (unsigned i = 0; i < r->plan_count; i++) {
		struct plan *p = &r->plans[i];

		if (p->config.max_blocks < needed) {
			log_error("--max-blocks: %u of them are needed for %g %% and %u cells",
				  needed, p->config.confidence, r->count);
			return EXIT_USAGE;
		}
		e = server_check_sides(&p->config, why, &key);
		if (key)
			(void)opt_error_at(&p->opts, key, "%s", why);
		if (e < 0) {
			log_error("%s", key ? p->opts.error : why);
			return e == -EINVAL ? EXIT_USAGE : EXIT_ENVIRONMENT;
		}
	}
	return EXIT_OK;
}

static int bench_run(struct bench *r)
{
	const struct bench_config *c = &r->plans[0].config;
	char why[WHY_MAX] = "";
	int code, e = bench_plan(r);

	if (e < 0) {
		log_error(e == -E2BIG ? "more than %d cells" : "no memory for %d cells", CELLS_MAX);
		return e == -E2BIG ? EXIT_USAGE : EXIT_ENVIRONMENT;
	}
	e = c->baseline[0] ? baseline_load(r, c->baseline, why) : 0;
	if (e < 0) {
		log_error("baseline %s", why);
		return e == -EINVAL ? EXIT_USAGE : EXIT_ENVIRONMENT;
	}
	child_block_signals();
	code = check_plans(r);
	if (code != EXIT_OK)
		return code;
	e = bench_measure(r);
	if (e < 0)
		return cannot_write(c->json, e);
	r->interrupted_by = child_stop_signal();
	bench_verdict(r);
	return write_results(r);
}

static int show_servers(const struct bench *r, int operands, char **words)
{
	int code = EXIT_OK;

	if (operands < 2) {
		log_error("show which? echobench list names them");
		return EXIT_USAGE;
	}
	for (int i = 2; i <= operands && code == EXIT_OK; i++)
		code = servers_show(&r->plans[0].config, words[i], stdout);
	return program_exit(code);
}

/* Does what the first operand says. Returns an exit code. */
static int bench_do(struct bench *r, int operands, char **words, int argc)
{
	const char *what = operands > 0 ? words[1] : "";
	int code;

	if (strcmp(what, "list") == 0 && operands == 1)
		return program_exit(servers_list(&r->plans[0].config, stdout));
	if (strcmp(what, "show") == 0)
		return show_servers(r, operands, words);
	if (strcmp(what, "run") != 0) {
		log_error("what to do? echobench run [OPTION]... [FILE]..., list, or show NAME... "
			  "(see --help)");
		return EXIT_USAGE;
	}
	code = read_plans(r, operands, words, argc);
	return code == EXIT_OK ? bench_run(r) : code;
}

static int bench_main(struct bench *r, int argc, char **words)
{
	int operands, code;

	plan_init(&r->plans[0]);
	operands = opt_load(&r->plans[0].opts, argc, words, environ);
	if (operands < 0)
		return plan_failed(&r->plans[0], operands);
	if (program_answer(&r->plans[0].opts, &r->plans[0].config.program))
		return program_exit(EXIT_OK);
	code = bench_do(r, operands, words, argc);
	bench_free(r);
	return code;
}

int main(int argc, char **argv)
{
	static struct plan plans[CONFIGS_MAX];
	static struct bench r = { .plans = plans };
	char *words[WORDS_MAX] = { NULL };

	program_begin("echobench");
	if (argc >= WORDS_MAX - 4) {
		log_error("more than %d words", WORDS_MAX - 5);
		return EXIT_USAGE;
	}
	memcpy(words, argv, (size_t)argc * sizeof(*words)); /* opt_load moves operands */
	r.argc = argc;
	r.argv = argv;
	return bench_main(&r, argc, words);
}
