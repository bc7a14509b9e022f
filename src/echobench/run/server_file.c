/* SPDX-License-Identifier: MIT
 * server_file: rows of a server file, and the program that it is about.
 */
#include "server_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/program.h"

static const char word[] = "{program}";

static int program_parse(const struct opt *o, const char *text, void *field,
			 char why[OPT_ERROR_MAX])
{
	if (strpbrk(text, "/ ")) {
		snprintf(why, OPT_ERROR_MAX, "must be a name, without a folder");
		return -EINVAL;
	}
	return opt_string.parse(o, text, field, why);
}

static int start_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	const char *at = strstr(text, word);

	if (!at || strstr(at + 1, word)) {
		snprintf(why, OPT_ERROR_MAX, "must have one %s", word);
		return -EINVAL;
	}
	if (!strstr(text, "{port}") && !strstr(text, "{addr}")) {
		snprintf(why, OPT_ERROR_MAX, "has no {port} or {addr}");
		return -EINVAL;
	}
	return opt_string.parse(o, text, field, why);
}

static bool text_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	return opt_string.print(o, field, nth, text);
}

static const struct opt_type program_type = { "NAME", program_parse, text_print };
static const struct opt_type start_type = { "CMD", start_parse, text_print };

static const struct opt rows[] = {
	OPT_STRING(server_file, story, NULL, "what it is, in a line"),
	OPT_STRING(server_file, url, NULL, "where it is from"),
	OPT_STRING(server_file, package, NULL, "Debian packages that building it needs"),
	OPT(server_file, program, program_type, NULL, "the name of its executable"),
	OPT_STRING(server_file, build, NULL, "commands that build it, for the user to run"),
	OPT(server_file, start, start_type, NULL, "its command line"),
	OPT_STRING(server_file, leaves_out, NULL, "what a server for everybody would have"),
	OPT_END,
};

bool server_file_is_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789-";
	const size_t len = strspn(text, letters);

	return len > 0 && len < SERVER_NAME_MAX && text[len] == '\0';
}

/* The name of the file, without its folder and its suffix. Returns false: it cannot be one. */
static bool take_name(struct server_file *f, const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	snprintf(f->name, sizeof(f->name), "%.*s", (int)strcspn(name, "."), name);
	return server_file_is_name(f->name);
}

/* What no single row can see. Returns what is missing, NULL: nothing is. */
static const char *missing_key(const struct server_file *f)
{
	const struct {
		const char *key, *value;
	} needed[] = { { "story", f->story },
		       { "program", f->program },
		       { "build", f->build },
		       { "start", f->start },
		       { "leaves_out", f->leaves_out } };

	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!needed[i].value[0])
			return needed[i].key;
	return f->url[0] || f->package[0] ? NULL : "url and no package";
}

static int read_rows(struct server_file *f, FILE *from, const char *path, char error[OPT_ERROR_MAX])
{
	static struct opt_set s;
	const char *missing;
	int r;

	memset(&s, 0, sizeof(s));
	s.program = "echobench";
	opt_add(&s, "server", rows, f);
	r = opt_read_defaults(&s);
	if (r == 0)
		r = opt_read_file(&s, from, path);
	snprintf(error, OPT_ERROR_MAX, "%s", s.error);
	missing = r == 0 ? missing_key(f) : NULL;
	if (!missing)
		return r;
	snprintf(error, OPT_ERROR_MAX, "%.300s: [server] has no %s", path, missing);
	return -EINVAL;
}

int server_file_read(struct server_file *f, const char *path, char error[OPT_ERROR_MAX])
{
	FILE *from = fopen(path, "re");
	int r;

	if (!from) {
		r = -errno;
		snprintf(error, OPT_ERROR_MAX, "%.300s: %s", path, strerror(-r));
		return r;
	}
	memset(f, 0, sizeof(*f));
	r = read_rows(f, from, path, error);
	fclose(from);
	if (r == 0 && !take_name(f, path)) {
		snprintf(error, OPT_ERROR_MAX,
			 "%.300s: a server's name is of small letters, digits, '_' and '-'", path);
		r = -EINVAL;
	}
	return r;
}

int server_file_program(const struct server_file *f, char *path, size_t size)
{
	const int n = snprintf(path, size, "%s/bench/%s", program_folder(), f->program);

	if (n > 0 && (size_t)n < size && access(path, X_OK) == 0)
		return 0;
	snprintf(path, size, "%s", f->program);
	return program_is_there(f->program) ? 0 : -ENOENT;
}

void server_file_command(const struct server_file *f, char *command, size_t size)
{
	const char *at = strstr(f->start, word);
	char path[PATH_MAX];

	(void)server_file_program(f, path, sizeof(path));
	snprintf(command, size, "%.*s%.600s%s", (int)(at - f->start), f->start, path,
		 at + sizeof(word) - 1);
}
