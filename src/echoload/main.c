/* SPDX-License-Identifier: MIT
 * main: reads the options, looks up the target, runs the load, once or in phases, and prints what
 * it found.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echo/base/output.h"
#include "echo/base/progress_line.h"
#include "echo/base/units.h"
#include "echo/lab/provenance.h"
#include "echo/net/backend.h"
#include "echoload/engine/run.h"
#include "echoload/options/opts.h"
#include "echoload/page/page.h"
#include "echoload/report/outputs.h"
#include "echoload/report/report.h"
#include "echoload/result/result.h"
#include "echoload/result/verdict.h"
#include "echoload/tools/merge.h"
#include "echoload/tools/plot.h"
#include "interactive.h"
#include "load_metrics.h"

extern char **environ;

enum {
	OWN_DESCRIPTORS = 64,      /* beside connections */
	TARGET_NAME_MAX = 320,     /* a name has 253 at most; what is longer is no target */
	DESCRIPTORS_OF_THREAD = 2, /* to be woken, and the backend's own */
};

struct client {
	int argc;
	char **original, **argv; /* as given; with the operands in front */
	int operands;
	struct addr_list targets[TARGETS_MAX];
	struct target_result target_results[TARGETS_MAX];
	const char *target_names[TARGETS_MAX];
	char file_names[TARGETS_MAX][TARGET_NAME_MAX]; /* of those that a file names */
	unsigned target_count;
	struct load_config config, share; /* of the whole load, and of this part of it */
	struct opt_set opts;
	struct backend_choice backend;
	struct run run;
	struct provenance provenance;
	struct result result;
	struct metrics_options metrics_options;
	struct load_metrics metrics;
};

static int client_usage_error(const struct client *c)
{
	log_error("%s", c->opts.error);
	return EXIT_USAGE;
}

/* Who asks for addresses of one family. */
static const char *client_why_family(const struct client *c)
{
	if (c->config.ipv4 || c->config.ipv6)
		return c->config.ipv4 ? "; -4 asks for one" : "; -6 asks for one";
	return "; --source is one";
}

/* Looks up one target, which keeps @name; @place stands before what is said of it. */
static int client_target(struct client *c, const char *name, const char *place)
{
	const unsigned max = c->config.interactive ? 1 : TARGETS_MAX;
	const char *why = "";
	int r;

	if (c->target_count == max) {
		log_error("%s'%s': more than %u target%s", place, name, max, max == 1 ? "" : "s");
		return EXIT_USAGE;
	}
	r = addr_resolve(&c->targets[c->target_count], name, load_family(&c->config), &why);
	if (r < 0) {
		log_error("%starget '%s': %s%s", place, name, why,
			  r == -EAFNOSUPPORT ? client_why_family(c) : "");
		return EXIT_USAGE;
	}
	c->target_names[c->target_count++] = name;
	return EXIT_OK;
}

/* A line of the file of targets, @n-th: blanks around it, and what follows a '#', do not count. */
static int client_target_line(struct client *c, char *line, unsigned n)
{
	char place[OPT_TEXT_MAX + 16];
	const char *name;

	line[strcspn(line, "#\n")] = '\0';
	line += strspn(line, " \t\r");
	line[strcspn(line, " \t\r")] = '\0';
	if (!*line)
		return EXIT_OK;
	name = line; /* one too many is refused, and needs no room of its own */
	if (c->target_count < TARGETS_MAX) {
		name = c->file_names[c->target_count];
		snprintf(c->file_names[c->target_count], TARGET_NAME_MAX, "%s", line);
	}
	snprintf(place, sizeof(place), "%s:%u: ", c->config.targets, n);
	return client_target(c, name, place);
}

/* Those of --targets. */
static int client_targets_file(struct client *c)
{
	FILE *f = fopen(c->config.targets, "re");
	char *line = NULL;
	size_t size = 0;
	int code = EXIT_OK;

	if (!f) {
		code = program_exit_unread(errno);
		log_error("--targets: %s: %s", c->config.targets, strerror(errno));
		return code;
	}
	for (unsigned n = 1; code == EXIT_OK && getline(&line, &size, f) >= 0; n++)
		code = client_target_line(c, line, n);
	if (code == EXIT_OK && !feof(f)) { /* of a lack of memory ferror does not tell */
		code = program_exit_unread(errno);
		log_error("--targets: %s: %s", c->config.targets, strerror(errno));
	}
	free(line);
	fclose(f);
	return code;
}

/* Looks up the operands, and the targets of the file. */
static int client_targets(struct client *c)
{
	int code = EXIT_OK;

	for (int i = 0; i < c->operands && code == EXIT_OK; i++)
		code = client_target(c, c->argv[1 + i], "");
	if (code == EXIT_OK && c->config.targets[0])
		code = client_targets_file(c);
	if (code == EXIT_OK && c->target_count == 0) {
		log_error("no target: echoload HOST:PORT or unix:PATH (see --help)");
		code = EXIT_USAGE;
	}
	return code;
}

static unsigned client_count_unix(const struct client *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->target_count; i++)
		n += addr_is_unix(&c->targets[i].at[0]);
	return n;
}

/* The environment that the run needs. */
static int client_prepare(struct client *c)
{
	const uint64_t connections = (uint64_t)c->share.connections + c->share.idle;
	const unsigned threads = run_threads(&c->share);
	const uint64_t want = connections + OWN_DESCRIPTORS +
			      (uint64_t)threads * DESCRIPTORS_OF_THREAD +
			      metrics_server_descriptors(&c->metrics_options);
	uint64_t have = sock_raise_nofile(want);
	int r;

	if (have < want) {
		log_error("%llu connection%s and %u thread%s need %llu descriptors, the limit is "
			  "%llu (ulimit -n)",
			  (unsigned long long)connections, connections == 1 ? "" : "s", threads,
			  threads == 1 ? "" : "s", (unsigned long long)want,
			  (unsigned long long)have);
		return EXIT_ENVIRONMENT;
	}
	r = run_init(&c->run, &c->share, &c->backend);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	if (worker_group_prepare(&c->run.group, &c->run.net, &c->backend) < 0) {
		log_error("cannot start: %s", c->backend.why);
		return EXIT_ENVIRONMENT;
	}
	c->result.backend = c->backend.ops->name;
	c->result.backend_why = c->backend.why;
	c->run.metrics = &c->metrics;
	c->metrics.server.options = &c->metrics_options;
	if (load_metrics_start(&c->metrics, &c->run, &c->opts) < 0) {
		log_error("%s", c->opts.error);
		return EXIT_ENVIRONMENT;
	}
	return EXIT_OK;
}

/* Writes all that was asked for. */
static int client_report(struct client *c, struct outputs *outputs)
{
	int r;

	verdict(&c->result);
	r = outputs_end(outputs, &c->result);
	if (r < 0)
		log_error("cannot write %s: %s", outputs->what, output_strerror(-r));
	r = report(&c->result);
	if (r < 0) {
		log_error("cannot write standard output: %s", output_strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	return program_exit(c->result.exit_code);
}

/* The wait may be long: a terminal is told what for. */
static void client_say_start(const struct client *c)
{
	const int64_t left_ns = c->config.start_at - clock_unix_ns();
	char time[UNITS_MAX];

	if (c->config.start_at != 0 && left_ns > SEC(1) && c->config.progress != PROGRESS_NEVER)
		log_info("begins in %s", units_time(left_ns, 3, time));
}

static int client_run(struct client *c)
{
	struct outputs outputs;
	int r, code;

	r = outputs_open(&outputs, &c->result);
	if (r < 0) {
		log_error("cannot write %s: %s", outputs.what, output_strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	code = client_prepare(c);
	if (code == EXIT_OK) {
		client_say_start(c);
		r = run_load(&c->run, &c->result, &outputs);
		if (r < 0) {
			if (r != -EPROTO) /* the gate has said what is wrong */
				log_error("a worker failed: %s", strerror(-r));
			code = EXIT_ENVIRONMENT;
		}
	}
	load_metrics_stop(&c->metrics);
	if (code == EXIT_OK)
		code = client_report(c, &outputs);
	else
		outputs_drop(&outputs);
	return code;
}

static int client_interactive(const struct client *c)
{
	const struct interactive_patience patience = { c->config.connect_timeout,
						       c->config.timeout };
	const struct sock_options *o = &c->config.sock;

	return c->config.textbook ? interactive_textbook(&c->targets[0], o)
				  : interactive_client(&c->targets[0], o, &patience);
}

/* Reads the configuration of @phase (NULL: there are none) and checks it. */
static int client_configure(struct client *c, const char *phase)
{
	int r;

	c->opts.phase = phase;
	memcpy(c->argv, c->original, ((size_t)c->argc + 1) * sizeof(*c->argv));
	r = opt_load(&c->opts, c->argc, c->argv, environ);
	if (r < 0) {
		client_usage_error(c);
		return program_exit_unread(-r);
	}
	c->operands = r;
	if (c->config.program.help || c->config.program.version || c->config.program.man ||
	    c->config.program.print_config || c->config.program.completion != OPT_SHELL_NONE)
		return EXIT_OK; /* nothing is run */
	r = backend_choose(&c->backend, BACKEND_CONNECT, c->config.backend);
	if (r < 0) {
		log_error("backend %s cannot run here: %s (%s)", c->config.backend->name,
			  c->backend.why, strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	if (load_check(&c->opts, &c->config, c->backend.ops) < 0 ||
	    backend_check(&c->backend, &c->opts) < 0)
		return client_usage_error(c);
	return EXIT_OK;
}

/* Runs what has been configured; every phase has a result of its own. */
static int client_once(struct client *c, const char *phase)
{
	int code;

	memset(&c->run, 0, sizeof(c->run));
	memset(&c->result, 0, sizeof(c->result));
	memset(c->target_results, 0, c->target_count * sizeof(c->target_results[0]));
	part_share(&c->config, &c->share);
	c->result = (struct result){ .config = &c->share,
				     .whole = c->config.part.count > 1 ? &c->config : NULL,
				     .opts = &c->opts,
				     .provenance = &c->provenance,
				     .argc = c->argc,
				     .argv = c->original,
				     .phase = phase,
				     .backend = c->backend.ops->name,
				     .backend_why = c->backend.why,
				     .targets = c->target_results,
				     .target_count = c->target_count };
	for (unsigned i = 0; i < c->target_count; i++) {
		c->run.shared.targets[i].addrs = c->targets[i];
		c->result.targets[i].name = c->target_names[i];
		addr_format(&c->targets[i].at[0], c->result.targets[i].address);
	}
	c->run.shared.target_count = c->target_count;
	c->run.shared.whole = &c->config;
	c->run.phase = phase;
	code = client_run(c);
	run_fini(&c->run);
	return code;
}

/* All phases are checked before the first one is run. A signal ends them all. */
static int client_phases(struct client *c)
{
	const unsigned count = c->opts.phase_count;
	char names[OPT_PHASES_MAX][OPT_PHASE_MAX];
	int code = EXIT_OK, total = EXIT_OK;

	memcpy(names, c->opts.phases, sizeof(names));
	for (unsigned i = 0; i < count && code == EXIT_OK; i++)
		code = client_configure(c, names[i]);
	if (code != EXIT_OK)
		return code;
	for (unsigned i = 0; i < count && !c->result.interrupted; i++) {
		code = client_configure(c, names[i]);
		if (code == EXIT_OK)
			code = client_once(c, names[i]);
		total = verdict_of_two(total, code);
	}
	return total;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} tools[] = { { "merge", merge_main }, { "plot", plot_main }, { "report", page_main } };

/* What completes the options of tools stands before what completes those of a load. */
static void client_complete_tools(const struct client *c)
{
	char word[32];

	snprintf(word, sizeof(word), "--completion=%s", opt_shells[c->config.program.completion]);
	for (size_t i = 0; i < ARRAY_LEN(tools); i++)
		(void)tools[i].run(2, (char *[]){ (char *)tools[i].name, word, NULL });
}

/* Answers what is asked about the program. Returns whether something was. */
static bool client_answer(struct client *c)
{
	char names[OPT_PHASES_MAX][OPT_PHASE_MAX];
	const unsigned count = c->opts.phase_count;

	memcpy(names, c->opts.phases, sizeof(names));
	if (c->config.program.completion != OPT_SHELL_NONE)
		client_complete_tools(c);
	if (!program_answer(&c->opts, &c->config.program))
		return false;
	for (unsigned i = 0; c->config.program.print_config && i < count; i++) {
		if (client_configure(c, names[i]) == EXIT_OK)
			opt_print_phase(&c->opts, stdout);
	}
	return true;
}

static int client_main(struct client *c)
{
	int r, code;

	opt_add(&c->opts, "global", load_opts, &c->config);
	opt_add(&c->opts, "metrics", metrics_opts, &c->metrics_options);
	r = backend_options(&c->backend, BACKEND_CONNECT, &c->opts);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	code = client_configure(c, NULL);
	if (code != EXIT_OK)
		return code;
	if (client_answer(c))
		return program_exit(EXIT_OK);
	code = client_targets(c);
	if (code != EXIT_OK)
		return code;
	r = load_check_start(&c->opts, &c->config);
	if (r == 0)
		r = load_check_unix(&c->opts, &c->config, client_count_unix(c), c->target_count);
	if (r < 0)
		return client_usage_error(c);
	if (c->config.interactive)
		return program_exit(client_interactive(c));
	provenance_read(&c->provenance, "");
	return c->opts.phase_count > 0 ? client_phases(c) : client_once(c, NULL);
}

static const struct opt_command tool_commands[] = { { "merge", " FILE...", true },
						    { "plot", " FILE", true },
						    { "report", " FILE...", true },
						    { .name = NULL } };

/* `echoload merge ...`, `plot ...`, `report ...`: no target is called so. */
static bool other_command(int argc, char **argv, int *code)
{
	if (argc < 2)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(tools); i++) {
		if (strcmp(argv[1], tools[i].name) == 0) {
			*code = tools[i].run(argc - 1, argv + 1);
			return true;
		}
	}
	return false;
}

int main(int argc, char **argv)
{
	static struct client c = {
		.opts = { .program = "echoload",
			  .usage =
				  "[OPTION]... TARGET... | merge RESULT... | plot RUN | report RUN...",
			  .about = "Loads a TCP echo server, checks every byte that comes back, "
				   "and counts every way a connection or a message can end.",
			  .after = load_after,
			  .commands = tool_commands,
			  .has_phases = true },
	};
	int code;

	program_begin("echoload");
	if (other_command(argc, argv, &code))
		return code;
	c.argc = argc;
	c.original = argv;
	c.argv = calloc((size_t)argc + 1, sizeof(*c.argv)); /* opt_load moves operands */
	if (!c.argv) {
		log_error("cannot start: %s", strerror(ENOMEM));
		return EXIT_ENVIRONMENT;
	}
	code = client_main(&c);
	backend_choice_free(&c.backend);
	free(c.argv);
	return code;
}
