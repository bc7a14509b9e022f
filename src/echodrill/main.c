/* SPDX-License-Identifier: MIT
 * main: the commands. Drills are run several at a time, each in a private machine of its own; what
 * each has recorded is judged and reported when its machine is gone.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echo/lab/folder.h"
#include "echodrill/chaos/chaos.h"
#include "echodrill/lesson/lesson.h"
#include "echodrill/report/report.h"
#include "echodrill/script/drill.h"
#include "explain.h"
#include "opts.h"
#include "pairs.h"
#include "suite.h"

extern char **environ;

enum { DRILLS_MAX = 192, PROBE_JOBS = 16 };

struct master {
	struct drill_config config;
	struct opt_set opts;
	char directory[OPT_TEXT_MAX];
	unsigned count;
	struct drill *drills; /* DRILLS_MAX */
};

static int master_read(struct master *m, const char *name)
{
	char path[OPT_TEXT_MAX], error[OPT_ERROR_MAX];
	int r;

	if (m->count == DRILLS_MAX) {
		log_error("more than %d drills", DRILLS_MAX);
		return EXIT_USAGE;
	}
	drill_path(m->directory, name, path);
	r = drill_read(&m->drills[m->count], path, error);
	if (r == -ENOENT && !drill_is_path(name)) {
		log_error("there is no drill '%.60s' (echodrill list names them all)", name);
		return EXIT_USAGE;
	}
	if (r < 0) {
		log_error("%s", error);
		return program_exit_unread(-r);
	}
	m->count++;
	return EXIT_OK;
}

/* All drills of the directory, in order of their names. */
static int master_read_all(struct master *m)
{
	char path[OPT_TEXT_MAX];
	struct folder f;
	int code = folder_read(&f, m->directory, "drills");

	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < f.count && code == EXIT_OK; i++) {
		folder_path(&f, i, path);
		code = master_read(m, path);
	}
	folder_free(&f);
	return code;
}

/* A drill in 80 columns; `show` tells the whole story. */
static void print_line(const char *group, const struct drill *d)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "%-9s %-27s %s", group, d->name, d->story.at[0]);

	escape_line(stdout, "%.*s%s", n > 80 ? 77 : 80, line, n > 80 ? "..." : "");
}

static int master_list(struct master *m, int count, char **names)
{
	int code = master_read_all(m);

	(void)count;
	(void)names;
	for (unsigned g = GROUP_CLASSIC; g <= GROUP_PROGRAM && code == EXIT_OK; g++)
		for (unsigned i = 0; i < m->count; i++)
			if (m->drills[i].group == g)
				print_line(drill_groups[g], &m->drills[i]);
	return code;
}

static int master_show(struct master *m, int count, char **names)
{
	for (int i = 0; i < count; i++) {
		int code = master_read(m, names[i]);

		if (code != EXIT_OK)
			return code;
	}
	for (unsigned i = 0; i < m->count; i++)
		report_drill(&m->drills[i], stdout);
	return EXIT_OK;
}

static int master_check(struct master *m, int count, char **names)
{
	int code = EXIT_OK;

	for (int i = 0; i < count; i++) {
		int read;

		m->count = 0;
		read = master_read(m, names[i]);
		if (read != EXIT_OK)
			code = read;
		else
			log_info("%s: a good drill: %u steps, %u expectations", names[i],
				 m->drills[0].step.count, m->drills[0].expect.count);
	}
	return code;
}

/* What is run when no drill is named. */
static bool master_is_chosen(const struct master *m, const struct drill *d)
{
	const bool named = m->config.programs[0] || m->config.probe;

	if (m->config.group <= GROUP_PROGRAM)
		return d->group == m->config.group;
	return named ? d->group == GROUP_PROGRAM : d->group < GROUP_LONG;
}

/* Without names: those of the group. */
static int master_choose(struct master *m, int count, char **names)
{
	unsigned kept = 0;
	int code = EXIT_OK;

	for (int i = 0; i < count && code == EXIT_OK; i++)
		code = master_read(m, names[i]);
	if (count > 0 || code != EXIT_OK)
		return code;
	code = master_read_all(m);
	for (unsigned i = 0; i < m->count; i++) {
		if (master_is_chosen(m, &m->drills[i]))
			m->drills[kept++] = m->drills[i];
	}
	m->count = kept;
	return code;
}

static int master_run(struct master *m, int count, char **names)
{
	static struct pair_list pairs;
	int code = pairs_read(&pairs, &m->config);

	if (code == EXIT_OK)
		code = master_choose(m, count, names);
	if (code == EXIT_OK && m->count == 0) {
		log_error("there is no drill of that group in '%s'", m->directory);
		code = EXIT_USAGE;
	}
	return code == EXIT_OK ? suite_run(&m->config, m->drills, m->count, &pairs) : code;
}

static int master_programs(struct master *m, int count, char **names)
{
	(void)count;
	(void)names;
	return pairs_list(&m->config, stdout);
}

/* All that matters at once: the drills wait, and it is over in three minutes. */
static int master_probe(struct master *m, int count, char **names)
{
	struct drill_config *c = &m->config;

	if (!c->client[0] && !c->programs[0]) {
		log_error("probe needs --client CMD, or --programs NAME");
		return EXIT_USAGE;
	}
	c->probe = true;
	if (opt_origin_of(&m->opts, "jobs")->level == OPT_DEFAULT)
		c->jobs = PROBE_JOBS;
	if (opt_origin_of(&m->opts, "output")->level == OPT_DEFAULT)
		c->output = REPORT_page;
	return master_run(m, count, names);
}

/* What a program of the user's does in the drills of a lesson, which lie beside all others. */
static int master_lesson(struct master *m, int count, char **names)
{
	const bool server = m->config.server[0], client = m->config.client[0];
	const struct lesson *l = count > 0 ? lesson_find(names[0]) : NULL;
	const char *const *drills = l ? server ? l->server : l->client : NULL;
	const size_t len = strlen(m->directory);
	static struct pair_list pairs;
	int code = EXIT_OK;

	if (count == 0) {
		report_lesson_list(stdout);
		return EXIT_OK;
	}
	if (!l) {
		log_error("there is no lesson '%s': 1 to %d", names[0], LESSON_COUNT);
		return EXIT_USAGE;
	}
	if (server == client) {
		log_error("a lesson grades one program: --client CMD or --server CMD");
		return EXIT_USAGE;
	}
	snprintf(m->directory + len, sizeof(m->directory) - len, "/lessons");
	for (unsigned i = 0; drills[i] && code == EXIT_OK; i++)
		code = master_read(m, drills[i]);
	if (m->config.output == REPORT_text)
		m->config.output = REPORT_lesson;
	if (m->config.timeline == TIMELINE_AUTO)
		m->config.timeline = TIMELINE_NEVER;
	if (code == EXIT_OK)
		code = pairs_read(&pairs, &m->config);
	return code == EXIT_OK ? suite_run(&m->config, m->drills, m->count, &pairs) : code;
}

static int master_explain(struct master *m, int count, char **names)
{
	(void)count;
	(void)names;
	explain(&m->config, stdout);
	return EXIT_OK;
}

static int master_chaos(struct master *m, int count, char **names)
{
	(void)count;
	(void)names;
	return chaos(&m->config, stdout);
}

static const struct {
	const char *name, *operands;
	int least, most; /* operands */
	int (*run)(struct master *m, int count, char **names);
} commands[] = {
	{ "list", "", 0, 0, master_list },
	{ "show", " NAME|FILE...", 1, DRILLS_MAX, master_show },
	{ "run", " [NAME|FILE]...", 0, DRILLS_MAX, master_run },
	{ "check", " FILE...", 1, DRILLS_MAX, master_check },
	{ "programs", "", 0, 0, master_programs },
	{ "probe", " [NAME|FILE]...", 0, DRILLS_MAX, master_probe },
	{ "explain", "", 0, 0, master_explain },
	{ "chaos", "", 0, 0, master_chaos },
	{ "lesson", " [N]", 0, 1, master_lesson },
};

static int master_command(struct master *m, int operands, char **argv)
{
	const char *name = operands > 0 ? argv[1] : "";

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) != 0)
			continue;
		if (operands - 1 >= commands[i].least && operands - 1 <= commands[i].most)
			return commands[i].run(m, operands - 1, argv + 2);
		log_error("usage: echodrill %s%s", name, commands[i].operands);
		return EXIT_USAGE;
	}
	if (operands == 0)
		log_error(
			"no command: list, show, run, check, programs, probe, explain, chaos or lesson (see --help)");
	else
		log_error(
			"unknown command '%s': list, show, run, check, programs, probe, explain, chaos or lesson",
			name);
	return EXIT_USAGE;
}

/* ip, nft and tc are there, and an ordinary user's PATH leaves it out on Debian. */
static void search_sbin(void)
{
	const char *path = getenv("PATH");
	char longer[PATH_MAX];
	int n = snprintf(longer, sizeof(longer), "%s:/usr/sbin:/sbin",
			 path ? path : "/usr/bin:/bin");

	if (n < PATH_MAX)
		setenv("PATH", longer, 1);
}

/* The same, as a shell completes them. */
static const struct opt_command *command_words(void)
{
	static struct opt_command words[ARRAY_LEN(commands) + 1];

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		words[i] = (struct opt_command){ .name = commands[i].name,
						 .operands = commands[i].operands };
	return words;
}

int main(int argc, char **argv)
{
	static struct drill drills[DRILLS_MAX];
	static struct master m = {
		.drills = drills,
		.opts = { .program = "echodrill",
			  .usage = "[OPTION]... list | show NAME | run [NAME...] | check FILE... | "
				   "programs | probe [NAME...] | explain | chaos | lesson [N]",
			  .about = "Failure drills: makes hosts of its own, starts a server and a "
				   "client on them, injects a fault, and checks what the client "
				   "saw, and when, against what TCP says it must see." },
	};
	int r;

	program_begin("echodrill");
	m.opts.after = drill_after();
	m.opts.commands = command_words();
	search_sbin();
	opt_add(&m.opts, "global", drill_opts, &m.config);
	r = opt_load(&m.opts, argc, argv, environ);
	if (r < 0) {
		log_error("%s", m.opts.error);
		return program_exit_unread(-r);
	}
	if (program_answer(&m.opts, &m.config.program))
		return program_exit(EXIT_OK);
	if (m.config.drills[0])
		snprintf(m.directory, sizeof(m.directory), "%s", m.config.drills);
	else if (drill_directory(m.directory) < 0)
		snprintf(m.directory, sizeof(m.directory), "configs/drills");
	return program_exit(master_command(&m, r, argv));
}
