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

#include "echo/base/base.h"

enum { INI_SECTION_MAX = 50 }; /* libinih cuts longer names of sections */

/* Debian's libinih takes its longest line from a variable (200), others from a constant. */
extern int ini_max_line __attribute__((weak)); /* NOLINT(readability-redundant-declaration) */

struct reader {
	struct opt_set *set;
	FILE *f;
	unsigned line;
	int error; /* the first, 0 or -errno; nothing is read after it */
};

static int fail_line(struct reader *in, const char *reason)
{
	return opt_fail(in->set, "%.200s:%u: %s", in->set->file, in->line, reason);
}

static int fail_length(struct reader *in, size_t max)
{
	char reason[64];

	snprintf(reason, sizeof(reason), "line is longer than %zu bytes", max);
	return fail_line(in, reason);
}

/* Reads a line without its newline into @line. Returns 1, 0 at the end of the file, or -errno. */
static int read_line(struct reader *in, char *line, size_t max)
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

static bool is_section(const struct opt_set *s, const char *name, size_t len)
{
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++) {
		const char *known = opt_heading(s, i);

		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return true;
	}
	return false;
}

/* "[phase NAME]", which only phases may follow. */
static int check_phase(struct reader *in, const char *name, size_t len)
{
	const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	struct opt_set *s = in->set;
	char *to = s->phases[s->phase_count];

	if (len == 0 || len >= OPT_PHASE_MAX || strspn(name, known) < len)
		return fail_line(in, "a phase is named with 1 to 32 letters, digits, '-' or '_'");
	if (s->phase_count == OPT_PHASES_MAX)
		return fail_line(in, "too many phases");
	memcpy(to, name, len);
	to[len] = '\0';
	for (unsigned i = 0; i < s->phase_count; i++)
		if (strcmp(s->phases[i], to) == 0)
			return fail_line(in, "a phase of this name stands above already");
	s->phase_count++;
	return 0;
}

static const char phase_word[] = "phase ";
enum { PHASE_WORD = sizeof(phase_word) - 1 };

static int check_section(struct reader *in, const char *line)
{
	const struct opt_set *s = in->set;
	size_t len = strcspn(line + 1, "]");
	char name[INI_SECTION_MAX], hint[OPT_HINT_MAX], reason[INI_SECTION_MAX + OPT_HINT_MAX + 32];

	if (line[1 + len] == '\0' || !ends_line(line + 1 + len + 1))
		return fail_line(in, "a section must be '[name]', alone on its line");
	if (s->has_phases && strncmp(line + 1, phase_word, PHASE_WORD) == 0)
		return check_phase(in, line + 1 + PHASE_WORD, len - PHASE_WORD);
	if (s->phase_count > 0)
		return fail_line(in, "this section must stand above the phases");
	if (is_section(s, line + 1, len))
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)size_min(len, sizeof(name) - 1), line + 1);
	opt_hint_section(s, name, hint);
	snprintf(reason, sizeof(reason), "unknown section [%s]%s", name, hint);
	return fail_line(in, reason);
}

static int check_line(struct reader *in, const char *line)
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
	struct reader *in = arg;
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

static int fail_unknown(struct reader *in, enum opt_level how, const char *name, const char *key)
{
	char hint[OPT_HINT_MAX], reason[OPT_NAME_MAX + OPT_HINT_MAX + 32];

	opt_hint(in->set, how, name, hint);
	snprintf(reason, sizeof(reason), "unknown key '%.*s'%s", OPT_NAME_MAX, key, hint);
	return fail_line(in, reason);
}

/* A key of a phase is one of the first section, whatever its group. It counts in its phase only. */
static int take_phase_key(struct reader *in, const char *phase, const char *key, const char *value)
{
	const struct opt_origin from = { OPT_FILE, in->line, true };
	struct opt_at at;

	if (!opt_find(in->set, OPT_DEFAULT, key, &at) || at.section > 0 ||
	    opt_row(in->set, at)->cli_only)
		return fail_unknown(in, OPT_DEFAULT, key, key);
	if (!in->set->phase || strcmp(phase, in->set->phase) != 0)
		return 0;
	return opt_apply(in->set, at, value, from);
}

/* What libinih calls for a key. Returns true when it is fine. */
static int take_key(void *arg, const char *section, const char *key, const char *value)
{
	struct reader *in = arg;
	const struct opt_origin from = { OPT_FILE, in->line, false };
	char name[OPT_NAME_MAX];
	struct opt_at at;

	if (section[0] == '\0') {
		in->error = fail_line(in, "key stands before the first [section]");
	} else if (in->set->has_phases && strncmp(section, phase_word, PHASE_WORD) == 0) {
		in->error = take_phase_key(in, section + PHASE_WORD, key, value);
	} else if ((size_t)snprintf(name, sizeof(name), "%s.%s", section, key) >= sizeof(name)) {
		in->error = fail_line(in, "unknown key, longer than any known");
	} else if (opt_find(in->set, OPT_FILE, name, &at)) {
		in->error = opt_apply(in->set, at, value, from);
	} else {
		in->error = fail_unknown(in, OPT_FILE, name, key);
	}
	return in->error == 0;
}

int opt_read_file(struct opt_set *s, FILE *f, const char *name)
{
	struct reader in = { .set = s, .f = f };
	int r;

	assert(s->count > 0 && f && name);
	s->file = name;
	s->phase_count = 0;
	if (&ini_max_line)
		ini_max_line = OPT_LINE_MAX + 3;
	r = ini_parse_stream(next_line, &in, take_key, &in);
	if (in.error == 0 && r != 0)
		return opt_fail(s, "%.200s: line %d cannot be read", name, r);
	return in.error;
}
