/* SPDX-License-Identifier: MIT
 * servers: the known servers for people: a line each with whether it can be started here, or all
 * that its file says.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/escape.h"
#include "echo/base/log.h"
#include "echo/base/program.h"
#include "echo/base/textwrap.h"
#include "echo/lab/folder.h"
#include "echobench/opts.h"
#include "echobench/run/known.h"
#include "output.h"

enum { COLUMN = 14, COLUMNS = 80, LINE_MAX_LEN = OPT_TEXT_MAX * 2 };

static int read_file(struct server_file *f, const char *path)
{
	char error[OPT_ERROR_MAX];
	const int r = server_file_read(f, path, error);

	if (r == 0)
		return EXIT_OK;
	log_error("%s", error);
	return program_exit_unread(-r);
}

/* In 80 columns; `show` tells the rest. */
static void print_line(const struct server_file *f, FILE *to)
{
	char path[PATH_MAX], line[LINE_MAX_LEN];
	const bool here = server_file_program(f, path, sizeof(path)) == 0;
	int n = snprintf(line, sizeof(line), "%-7s  %-16s ", here ? "here" : "missing", f->name);

	if (here)
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%s", f->story);
	else
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%.80s (echobench show %s)",
			      f->program, f->name);
	escape_line(to, "%.*s%s", n > COLUMNS ? COLUMNS - 3 : COLUMNS, line,
		    n > COLUMNS ? "..." : "");
}

int servers_list(const struct bench_config *c, FILE *to)
{
	char at[OPT_TEXT_MAX], path[OPT_TEXT_MAX];
	struct server_file f;
	struct folder files;
	int code;

	known_folder(c, at);
	code = folder_read(&files, at, "servers");
	if (code != EXIT_OK)
		return code;
	for (size_t i = 0; i < files.count && code == EXIT_OK; i++) {
		folder_path(&files, i, path);
		code = read_file(&f, path);
		if (code == EXIT_OK)
			print_line(&f, to);
	}
	folder_free(&files);
	return code;
}

/* As it is, for those who copy it. */
static void print_key(const char *key, const char *value, FILE *to)
{
	if (value[0])
		escape_line(to, "  %-11s %s", key, value);
}

static void print_file(const struct server_file *f, FILE *to)
{
	char path[PATH_MAX];
	const bool here = server_file_program(f, path, sizeof(path)) == 0;

	escape_line(to, "%s", f->name);
	textwrap_put(to, "  is", COLUMN, 0, f->story);
	print_key("from", f->url, to);
	print_key("needs", f->package, to);
	print_key("build", f->build, to);
	print_key("start", f->start, to);
	textwrap_put(to, "  leaves out", COLUMN, 0, f->leaves_out);
	if (here)
		print_key("here", path, to);
	else
		escape_line(to, "  %-11s %s, neither in %s/bench nor in PATH", "missing",
			    f->program, program_folder());
}

int servers_show(const struct bench_config *c, const char *name, FILE *to)
{
	char path[PATH_MAX], hint[OPT_TEXT_MAX];
	struct server_file f;
	int code;

	if (!known_path(c, name, path)) {
		known_hint(c, name, hint);
		log_error("'%s' is no server that echobench list names%s", name, hint);
		return EXIT_USAGE;
	}
	code = read_file(&f, path);
	if (code == EXIT_OK)
		print_file(&f, to);
	return code;
}
