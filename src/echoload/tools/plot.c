/* SPDX-License-Identifier: MIT
 * plot: reads a run, writes a script, and lets gnuplot draw it. The picture appears under its name
 * when it is whole.
 */
#include "plot.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/escape.h"
#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echo/base/program.h"
#include "echoload/report/report_file.h"
#include "plot_private.h"

struct plot_config {
	struct program_options program;
	char out[OPT_TEXT_MAX], title[OPT_TEXT_MAX];
};

static const struct opt plot_opts[] = {
	OPT_STRING(plot_config, out, NULL, "the picture: NAME.svg or NAME.png", .letter = 'o'),
	OPT_STRING(plot_config, title, NULL, "above it, instead of the command line"),
	PROGRAM_ROWS(plot_config),
	OPT_END,
};

extern char **environ;

static bool has_suffix(const char *name, const char *suffix)
{
	const size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && strcmp(name + len - tail, suffix) == 0;
}

/* What gnuplot inherits: the script, the picture, and no signal that waits here for the end. */
static int spawn_gnuplot(pid_t *pid, int script, int picture)
{
	char name[] = "gnuplot", input[] = "-";
	char *argv[] = { name, input, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t how;
	sigset_t none;
	int e;

	sigemptyset(&none);
	e = posix_spawn_file_actions_init(&actions);
	if (e != 0)
		return -e;
	e = posix_spawnattr_init(&how);
	if (e == 0) {
		(void)posix_spawnattr_setsigmask(&how, &none); /* neither of them can fail */
		(void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
		e = posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
		if (e == 0)
			e = posix_spawn_file_actions_adddup2(&actions, picture, STDOUT_FILENO);
		if (e == 0)
			e = posix_spawnp(pid, name, &actions, &how, argv, environ);
		(void)posix_spawnattr_destroy(&how);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return -e;
}

/* Runs gnuplot with @script as its input, from the beginning, and @picture as its output. Returns
 * 0, or -errno with what went wrong said. */
static int run_gnuplot(FILE *script, FILE *picture)
{
	int e = 0, status = 0;
	struct stat st;
	pid_t pid = 0;

	if (fflush(script) != 0 || fseek(script, 0, SEEK_SET) < 0)
		e = -errno;
	if (e == 0)
		e = spawn_gnuplot(&pid, fileno(script), fileno(picture));
	if (e == -ENOENT)
		log_error("gnuplot is not installed; Debian: apt-get install gnuplot-nox");
	else if (e < 0)
		log_error("cannot run gnuplot: %s", strerror(-e));
	if (e < 0)
		return e;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (status == 0 &&
	    (fstat(fileno(picture), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > 0))
		return 0;
	log_error(status ? "gnuplot failed" : "gnuplot drew nothing");
	return -EIO;
}

/* Returns an exit code. */
static int plot_draw(const struct plot_data *p, const char *out)
{
	FILE *script = tmpfile();
	struct report_file picture;
	int e, drawn = 0;

	if (!script) {
		log_error("cannot make a temporary file: %s", strerror(errno));
		return EXIT_ENVIRONMENT;
	}
	e = report_file_open(&picture, out, false);
	if (e == 0) {
		plot_script(p, has_suffix(out, ".svg"), script);
		drawn = run_gnuplot(script, picture.f);
		e = report_file_close(&picture, drawn);
	}
	fclose(script);
	if (e < 0 && drawn == 0)
		log_error("cannot write %s: %s", out, strerror(-e));
	return e < 0 ? EXIT_ENVIRONMENT : EXIT_OK;
}

static int plot_file(const struct plot_config *c, const char *name)
{
	struct plot_data p;
	int code = EXIT_USAGE;

	if (plot_read(&p, name) < 0)
		log_error("%s: %s", name, p.error);
	else if (c->title[0])
		escape_text(c->title, p.title, sizeof(p.title));
	if (!p.error[0])
		code = plot_draw(&p, c->out);
	plot_free(&p);
	return code;
}

int plot_main(int argc, char **argv)
{
	static struct plot_config config;
	static struct opt_set set = {
		.program = "echoload",
		.usage = "plot RUN.jsonl -o PICTURE",
		.about = "Draws a run with gnuplot: throughput and latency over time with outages "
			 "shaded, and latency by percentile.",
	};
	char *none[] = { NULL };
	int r;

	opt_add(&set, "plot", plot_opts, &config);
	r = opt_load(&set, argc, argv, none);
	if (r < 0) {
		log_error("%s", set.error);
		return EXIT_USAGE;
	}
	if (program_answer(&set, &config.program))
		return program_exit(EXIT_OK);
	if (r != 1 || !config.out[0]) {
		log_error("needs one run and a picture: echoload plot RUN.jsonl -o RUN.svg");
		return EXIT_USAGE;
	}
	if (!has_suffix(config.out, ".svg") && !has_suffix(config.out, ".png")) {
		log_error("--out: the name must end in .svg or .png");
		return EXIT_USAGE;
	}
	return plot_file(&config, argv[1]);
}
