/* SPDX-License-Identifier: MIT
 * plot: reads a run, writes a script, and lets gnuplot draw it. The picture appears under its name
 * when it is whole.
 */
#include "plot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/escape.h"
#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echo/base/program.h"
#include "echo/lab/gnuplot.h"
#include "echo/lab/outfile.h"
#include "plot_private.h"
#include "tool.h"

struct plot_config {
	struct program_options program;
	char out[OPT_TEXT_MAX], title[OPT_TEXT_MAX];
};

static const struct opt plot_opts[] = {
	OPT_PATH(plot_config, out, NULL, "the picture: NAME.svg or NAME.png", .letter = 'o'),
	OPT_STRING(plot_config, title, NULL, "above it, instead of the command line"),
	PROGRAM_ROWS(plot_config),
	OPT_END,
};

static bool has_suffix(const char *name, const char *suffix)
{
	const size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && strcmp(name + len - tail, suffix) == 0;
}

/* Returns an exit code. */
static int plot_draw(const struct plot_data *p, const char *out)
{
	FILE *script = tmpfile();
	struct outfile picture;
	const char *wrong = NULL;
	int e;

	if (!script) {
		log_error("cannot make a temporary file: %s", strerror(errno));
		return EXIT_ENVIRONMENT;
	}
	e = outfile_open(&picture, out, false);
	if (e == 0) {
		plot_script(p, has_suffix(out, ".svg"), script);
		wrong = gnuplot_run(script, picture.f);
		e = outfile_close(&picture, wrong ? -EIO : 0);
	}
	fclose(script);
	if (wrong)
		log_error("cannot draw %s: %s", out, wrong);
	else if (e < 0)
		log_error("cannot write %s: %s", out, strerror(-e));
	return e < 0 ? EXIT_ENVIRONMENT : EXIT_OK;
}

static int plot_file(const struct plot_config *c, const char *name)
{
	struct plot_data p;
	const int e = plot_read(&p, name);
	int code = program_exit_unread(-e);

	if (e < 0)
		log_error("%s: %s", name, p.error);
	else if (c->title[0])
		escape_text(c->title, p.title, sizeof(p.title));
	if (!p.error[0] && p.damage[0])
		log_warn("%s: %s", name, p.damage);
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
	int code, r = tool_begin(&set, "plot", plot_opts, &config, argc, argv, &code);

	if (r < 0)
		return code;
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
