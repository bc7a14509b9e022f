/* SPDX-License-Identifier: MIT
 * main: reads the options, looks up the target, runs the load, prints what it found.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/addr.h"
#include "echo/backend.h"
#include "echo/log.h"
#include "echo/opt.h"
#include "echo/provenance.h"
#include "line.h"
#include "opts.h"
#include "report.h"
#include "result.h"
#include "run.h"
#include "verdict.h"

extern char **environ;

enum { OWN_DESCRIPTORS = 64 }; /* beside connections */

struct client {
	struct load_config config;
	struct opt_set opts;
	struct backend_choice backend;
	struct run run;
	struct provenance provenance;
	struct result result;
};

static int client_usage_error(const struct client *c)
{
	log_error("%s", c->opts.error);
	return EXIT_USAGE;
}

static int client_add_target(struct client *c, const char *name)
{
	struct load_run *run = &c->run.shared;
	struct target_result *t = &c->result.targets[c->result.target_count];
	const char *why = "";

	if (addr_resolve(&run->targets[run->target_count], name, &why) < 0) {
		log_error("target '%s': %s", name, why);
		return EXIT_USAGE;
	}
	t->name = name;
	addr_format(&run->targets[run->target_count++], t->address);
	c->result.target_count++;
	return EXIT_OK;
}

/* Looks up the operands. */
static int client_targets(struct client *c, int operands, char **argv)
{
	int code = EXIT_OK;

	if (operands == 0) {
		log_error("no target: echoload HOST:PORT (see --help)");
		return EXIT_USAGE;
	}
	if (operands > TARGETS_MAX || (c->config.interactive && operands > 1)) {
		log_error("'%s': more than %d target%s", argv[operands],
			  c->config.interactive ? 1 : TARGETS_MAX,
			  c->config.interactive ? "" : "s");
		return EXIT_USAGE;
	}
	for (int i = 1; i <= operands && code == EXIT_OK; i++)
		code = client_add_target(c, argv[i]);
	return code;
}

/* The environment that the run needs. */
static int client_prepare(struct client *c)
{
	uint64_t want = (uint64_t)c->config.connections + OWN_DESCRIPTORS;
	uint64_t have = sock_raise_nofile(want);
	int r;

	if (have < want) {
		log_error("%u connections need %llu descriptors, the limit is %llu (ulimit -n)",
			  c->config.connections, (unsigned long long)want,
			  (unsigned long long)have);
		return EXIT_ENVIRONMENT;
	}
	r = run_init(&c->run, &c->config, &c->backend);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	return EXIT_OK;
}

static int client_run(struct client *c)
{
	const char *what = "";
	int r, code = client_prepare(c);

	if (code != EXIT_OK)
		return code;
	r = run_load(&c->run, &c->result);
	if (r < 0) {
		log_error("a worker failed: %s", strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	provenance_read(&c->provenance, "");
	c->result.provenance = &c->provenance;
	verdict(&c->result);
	r = report(&c->result, &what);
	if (r < 0) {
		log_error("cannot write %s: %s", what, strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	return program_exit(c->result.exit_code);
}

static int client_line(const struct client *c)
{
	struct sock_options o = { 0 };

	load_sock_options(&c->config, &o);
	return c->config.textbook ? line_textbook(&c->run.shared.targets[0], &o)
				  : line_client(&c->run.shared.targets[0], &o);
}

static int client_main(struct client *c, int argc, char **argv)
{
	int r, code;

	opt_add(&c->opts, "global", load_opts, &c->config);
	r = backend_options(&c->backend, BACKEND_CONNECT, &c->opts);
	if (r < 0) {
		log_error("cannot start: %s", strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	r = opt_load(&c->opts, argc, argv, environ);
	if (r < 0)
		return client_usage_error(c);
	if (program_answer(&c->opts, &c->config.program))
		return program_exit(EXIT_OK);
	code = client_targets(c, r, argv);
	if (code != EXIT_OK)
		return code;
	r = backend_choose(&c->backend, BACKEND_CONNECT, c->config.backend);
	if (r < 0) {
		log_error("backend %s cannot run here: %s (%s)", c->config.backend->name,
			  c->backend.why, strerror(-r));
		return EXIT_ENVIRONMENT;
	}
	if (load_check(&c->opts, &c->config, c->backend.ops) < 0)
		return client_usage_error(c);
	if (c->config.interactive)
		return program_exit(client_line(c));
	c->result.backend = c->backend.ops->name;
	c->result.backend_why = c->backend.why;
	code = client_run(c);
	run_fini(&c->run);
	return code;
}

int main(int argc, char **argv)
{
	static struct client c = {
		.opts = { .program = "echoload",
			  .usage = "[OPTION]... HOST:PORT...",
			  .about = "Loads a TCP echo server, checks every byte that comes back, "
				   "and counts "
				   "every way a connection or a message can end.",
			  .after = load_after },
	};
	char **original = calloc((size_t)argc + 1, sizeof(*original)); /* opt_load moves operands */
	int code;

	log_init("echoload", LOG_INFO);
	if (!original) {
		log_error("cannot start: %s", strerror(ENOMEM));
		return EXIT_ENVIRONMENT;
	}
	memcpy(original, argv, (size_t)argc * sizeof(*original));
	c.config = (struct load_config){ 0 };
	c.result.config = &c.config;
	c.result.opts = &c.opts;
	c.result.argc = argc;
	c.result.argv = original;
	code = client_main(&c, argc, argv);
	backend_choice_free(&c.backend);
	free(original);
	return code;
}
