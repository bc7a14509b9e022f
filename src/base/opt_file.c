/* SPDX-License-Identifier: MIT
 * opt_file: config files. libinih splits lines into section, key and value; everything it would
 * swallow in silence (over-long and indented lines, text behind a section, sections without keys,
 * ':' for '=', NUL bytes) is caught before, in the reader that hands it one line at a time and so
 * also knows which line an error is in.
 */
#include "opt_private.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <string.h>

#include "echo/base.h"

enum { INI_SECTION_MAX = 50 }; /* libinih cuts longer names of sections */

/* Debian's libinih takes its longest line from a variable (200), others from a constant. */
extern int ini_max_line __attribute__((weak)); /* NOLINT(readability-redundant-declaration) */

struct source {
	struct opt_set *set;
	FILE *f;
	unsigned line;
	int error; /* the first, 0 or -errno; nothing is read after it */
};

static int fail_line(struct source *in, const char *reason)
{
	return opt_fail(in->set, "%.200s:%u: %s", in->set->file, in->line, reason);
}

static int fail_length(struct source *in, size_t max)
{
	char reason[64];

	snprintf(reason, sizeof(reason), "line is longer than %zu bytes", max);
	return fail_line(in, reason);
}

/* Reads a line without its newline into @line. Returns 1, 0 at the end of the file, or -errno. */
static int read_line(struct source *in, char *line, size_t max)
{
	size_t len = 0;
	int c;

	in->line++;
	errno = 0;
	while ((c = getc(in->f)) != EOF && c != '\n') {
		if (c == '\0')
			return fail_line(in, "line has a NUL byte; this is no text file");
		if (len == max)
			return fail_length(in, max);
		line[len++] = (char)c;
	}
	line[len] = '\0';
	if (c == EOF && ferror(in->f)) {
		int r = errno > 0 ? -errno : -EIO;

		opt_fail(in->set, "%.200s: cannot be read: %s", in->set->file, strerror(-r));
		return r;
	}
	return c != EOF || len > 0;
}

static bool ends_line(const char *text)
{
	text += strspn(text, " \t\r");
	return *text == '\0' || *text == ';' || *text == '#';
}

static int check_section(struct source *in, const char *line)
{
	const struct opt_set *s = in->set;
	size_t len = strcspn(line + 1, "]");
	char name[INI_SECTION_MAX], hint[OPT_HINT_MAX], reason[INI_SECTION_MAX + OPT_HINT_MAX + 32];

	if (line[1 + len] == '\0' || !ends_line(line + 1 + len + 1))
		return fail_line(in, "a section must be '[name]', alone on its line");
	for (unsigned i = 0; i < s->count; i++)
		if (strlen(s->sections[i].name) == len &&
		    memcmp(s->sections[i].name, line + 1, len) == 0)
			return 0;
	snprintf(name, sizeof(name), "%.*s", (int)size_min(len, sizeof(name) - 1), line + 1);
	opt_hint_section(s, name, hint);
	snprintf(reason, sizeof(reason), "unknown section [%s]%s", name, hint);
	return fail_line(in, reason);
}

static int check_line(struct source *in, const char *line)
{
	if (ends_line(line))
		return 0;
	if (strchr(" \t\r\v\f", line[0]))
		return fail_line(in, "line is indented; a key begins its line");
	if (line[0] == '[')
		return check_section(in, line);
	if (line[0] == '=' || line[strcspn(line, "=:;")] != '=')
		return fail_line(in, "line is not 'key = value'");
	return 0;
}

/* What libinih calls for a line: like fgets, NULL ends. */
static char *next_line(char *line, int size, void *arg)
{
	const char bom[] = "\xef\xbb\xbf";
	struct source *in = arg;
	size_t max = size_min((size_t)size - 1, OPT_LINE_MAX);
	int r;

	if (in->error < 0)
		return NULL;
	r = read_line(in, line, max);
	if (r > 0 && in->line == 1 && strncmp(line, bom, 3) == 0)
		memmove(line, line + 3, strlen(line + 3) + 1);
	if (r > 0)
		in->error = check_line(in, line);
	else
		in->error = r;
	return r > 0 && in->error == 0 ? line : NULL;
}

/* What libinih calls for a key. Returns true when it is fine. */
static int take_key(void *arg, const char *section, const char *key, const char *value)
{
	struct source *in = arg;
	const struct opt_source from = { OPT_FILE, in->line };
	char name[OPT_NAME_MAX], hint[OPT_HINT_MAX];
	char reason[OPT_NAME_MAX + OPT_HINT_MAX + 32];
	struct opt_at at;

	if (section[0] == '\0') {
		in->error = fail_line(in, "key stands before the first [section]");
	} else if ((size_t)snprintf(name, sizeof(name), "%s.%s", section, key) >= sizeof(name)) {
		in->error = fail_line(in, "unknown key, longer than any known");
	} else if (opt_find(in->set, OPT_FILE, name, &at)) {
		in->error = opt_apply(in->set, at, value, from);
	} else {
		opt_hint(in->set, OPT_FILE, name, hint);
		snprintf(reason, sizeof(reason), "unknown key '%s'%s", key, hint);
		in->error = fail_line(in, reason);
	}
	return in->error == 0;
}

int opt_read_file(struct opt_set *s, FILE *f, const char *name)
{
	struct source in = { .set = s, .f = f };
	int r;

	assert(s->count > 0 && f && name);
	s->file = name;
	if (&ini_max_line)
		ini_max_line = OPT_LINE_MAX + 3;
	r = ini_parse_stream(next_line, &in, take_key, &in);
	if (in.error == 0 && r != 0)
		return opt_fail(s, "%.200s: line %d cannot be read", name, r);
	return in.error;
}
