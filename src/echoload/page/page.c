/* SPDX-License-Identifier: MIT
 * page: reads runs, makes a model of them, and writes the page, which appears under its name when
 * it is whole.
 */
#include "page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echo/base/program.h"
#include "echo/lab/outfile.h"
#include "echoload/report/report_private.h"
#include "echoload/tools/run_file.h"
#include "echoload/tools/tool.h"
#include "page_private.h"

enum {
	RUNS_MAX = 16, /* colours that can be told apart are fewer */
	LABEL_MAX = 128,
	TITLE_MAX = 256,
	VERDICT_MAX = 1024,
	LIBRARY_MAX = 4 * 1024 * 1024,
};

struct page_config {
	struct program_options program;
	char out[OPT_TEXT_MAX], title[OPT_TEXT_MAX], dygraphs[OPT_TEXT_MAX];
};

static const struct opt page_opts[] = {
	OPT_PATH(page_config, out, NULL, "the page: NAME.html", .letter = 'o'),
	OPT_STRING(page_config, title, NULL, "of the page, instead of the names of the runs"),
	OPT_PATH(page_config, dygraphs, "/usr/share/javascript/dygraphs",
		 "folder of dygraph.min.js, which becomes a part of the page"),
	PROGRAM_ROWS(page_config),
	OPT_END,
};

/* "dir/run.jsonl" in phase "warm" is "run warm". */
static void make_label(const char *name, const json_t *run, char label[LABEL_MAX])
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	const char *dot = strrchr(base, '.'), *phase = run_file_text(run, "phase");
	const int len = dot && dot > base ? (int)(dot - base) : (int)strlen(base);

	snprintf(label, LABEL_MAX, "%.*s%s%s", len, base, phase[0] ? " " : "", phase);
}

/* Returns an exit code. */
static int no_memory(void)
{
	log_error("%s", strerror(ENOMEM));
	return EXIT_ENVIRONMENT;
}

/* Adds the runs of a file. Returns an exit code. */
static int add_file(json_t *models, const char *name)
{
	char why[RUN_FILE_ERROR_MAX], label[LABEL_MAX];
	json_t *runs = run_file_read(name, why), *run, *model;
	int code = runs ? EXIT_OK : program_exit_unread(errno);
	size_t i;

	if (!runs || json_array_size(runs) == 0) {
		log_error("%s: %s", name, runs ? "tells of no run of echoload" : why);
		json_decref(runs);
		return code == EXIT_OK ? EXIT_USAGE : code;
	}
	if (why[0])
		log_warn("%s: %s", name, why);
	json_array_foreach(runs, i, run)
	{
		make_label(name, run, label);
		if (json_array_size(models) == RUNS_MAX) {
			log_error("%s: a page shows %d runs at most", name, RUNS_MAX);
			code = EXIT_USAGE;
		} else if (page_model(run, label, &model) < 0) {
			code = EXIT_ENVIRONMENT;
		} else if (json_array_append_new(models, model) < 0) {
			code = no_memory();
		}
		if (code != EXIT_OK)
			break;
	}
	json_decref(runs);
	return code;
}

/* The file of the library as text, to be freed; NULL, said. */
static char *read_library(const char *folder, const char *file)
{
	char name[PATH_MAX];
	struct stat st;
	char *text = NULL;
	FILE *f;

	snprintf(name, sizeof(name), "%s/%s", folder, file);
	f = fopen(name, "re");
	if (!f) {
		log_error("%s: %s; Debian: apt-get install libjs-dygraphs", name, strerror(errno));
		return NULL;
	}
	if (fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && st.st_size < LIBRARY_MAX) {
		text = calloc(1, (size_t)st.st_size + 1);
		if (!text) {
			no_memory();
			fclose(f);
			return NULL;
		}
	}
	if (text && fread(text, 1, (size_t)st.st_size, f) != (size_t)st.st_size) {
		free(text);
		text = NULL;
	}
	fclose(f);
	/* it stands in an element of the page, which its text must not end */
	if (text &&
	    (strcasestr(text, "</script") || strcasestr(text, "</style") || strstr(text, "<!--"))) {
		free(text);
		text = NULL;
	}
	if (!text)
		log_error("%s: is not a library that can stand in a page", name);
	return text;
}

/* Returns an exit code. */
static int write_page(const struct page *p, const char *out)
{
	struct outfile file;
	int e = outfile_open(&file, out, false);

	if (e == 0)
		e = outfile_close(&file, page_html(p, file.f));
	if (e < 0)
		log_error("cannot write %s: %s", out, strerror(-e));
	return e < 0 ? EXIT_ENVIRONMENT : EXIT_OK;
}

/* The run that a reader must know of first: one that went badly, or else one of which nobody can be
 * sure. */
static const json_t *worst_run(const json_t *models)
{
	static const char *const grades[] = { "bad", "unsure", "good" };
	const json_t *model;
	size_t i;

	for (size_t g = 0; g < ARRAY_LEN(grades); g++) {
		json_array_foreach(models, i, model)
		{
			if (strcmp(run_file_text(model, "grade"), grades[g]) == 0)
				return model;
		}
	}
	return NULL;
}

/* The names of the runs, as many as a line has room for. */
static void make_title(const json_t *models, char title[TITLE_MAX])
{
	size_t i, len = 0;
	const json_t *model;

	title[0] = '\0';
	json_array_foreach(models, i, model)
	{
		const char *label = run_file_text(model, "label");

		if (len + strlen(label) + 8 > TITLE_MAX) {
			snprintf(title + len, TITLE_MAX - len, ", ...");
			return;
		}
		len += (size_t)snprintf(title + len, TITLE_MAX - len, "%s%s", i ? ", " : "", label);
	}
}

static int make_page(const struct page_config *c, json_t *models)
{
	const bool several = json_array_size(models) > 1;
	const json_t *worst = worst_run(models);
	char title[TITLE_MAX], verdict[VERDICT_MAX];
	char *library = read_library(c->dygraphs, "dygraph.min.js");
	char *css = library ? read_library(c->dygraphs, "dygraph.min.css") : NULL;
	json_t *model = json_pack("{ss sO}", "version", program_version(), "runs", models);
	const struct page page = {
		.title = c->title[0] ? c->title : title,
		.verdict = verdict,
		.grade = run_file_text(worst, "grade"),
		.model = model,
		.library = library,
		.library_css = css,
	};
	int code = EXIT_ENVIRONMENT;

	make_title(models, title);
	snprintf(verdict, sizeof(verdict), "%s%s%s", several ? run_file_text(worst, "label") : "",
		 several ? ": " : "", run_file_text(worst, "verdict"));
	if (!model)
		code = no_memory();
	else if (library && css)
		code = write_page(&page, c->out);
	json_decref(model);
	free(css);
	free(library);
	return code;
}

int page_main(int argc, char **argv)
{
	static struct page_config config;
	static struct opt_set set = {
		.program = "echoload",
		.usage = "report RUN... -o PAGE.html",
		.about =
			"Makes a page of runs: their verdicts, what happened over time, latency by "
			"percentile, and all tables. Several runs are laid over each other. The "
			"page is one file that asks nobody for anything.",
	};
	int code = EXIT_OK, r = tool_begin(&set, "report", page_opts, &config, argc, argv, &code);
	json_t *models;

	if (r < 0)
		return code;
	if (r < 1 || !config.out[0]) {
		log_error("needs runs and a page: echoload report RUN.jsonl -o RUN.html");
		return EXIT_USAGE;
	}
	models = json_array();
	if (!models)
		code = no_memory();
	for (int i = 1; i <= r && code == EXIT_OK; i++)
		code = add_file(models, argv[i]);
	if (code == EXIT_OK)
		code = make_page(&config, models);
	json_decref(models);
	return code;
}
