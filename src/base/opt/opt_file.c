/* SPDX-License-Identifier: MIT
 * opt_file: config files. libinih splits lines into section, key and value. It would take what is
 * written wrong for something else, in silence: the rest of a long line for a line, the beginning
 * of one with a NUL byte for all of it, an indented key for more of the value before, ':' for '=',
 * and text behind a section for nothing. So the reader that hands it one line at a time refuses
 * these, and checks sections, of which libinih tells only with a key. The reader counts lines, too:
 * every error and every value has its own.
 */
#include "opt_private.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <string.h>

/* Debian's libinih takes its longest line from a variable (200), others from a constant. */
extern int ini_max_line __attribute__((weak)); /* NOLINT(readability-redundant-declaration) */

struct reader {
	struct opt_set *set;
	FILE *f;
	unsigned line;
	int error; /* the first, 0 or -errno; nothing is read after it */
};

static int __attribute__((format(printf, 2, 3))) fail_line(struct reader *in, const char *fmt, ...)
{
	char reason[OPT_ERROR_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	return opt_fail(in->set, "%.200s:%u: %s", in->set->file, in->line, reason);
}

/* Reads a whole line. Returns 1, 0 at the end of the file, or -errno. */
static int read_line(struct reader *in, char *line, size_t size)
{
	size_t len;
	int r;

	in->line++;
	errno = 0;
	memset(line, '\n', size); /* so that the last NUL is the one behind what was read */
	if (!fgets(line, (int)size, in->f)) {
		r = errno > 0 ? -errno : -EIO;
		if (!ferror(in->f))
			return 0;
		opt_fail(in->set, "%.200s: cannot be read: %s", in->set->file, strerror(-r));
		return r;
	}
	len = (size_t)((char *)memrchr(line, '\0', size) - line);
	if (strlen(line) < len)
		return fail_line(in, "line has a NUL byte; this is no text file");
	if (len == size - 1 && line[len - 1] != '\n')
		return fail_line(in, "line is longer than %zu bytes", size - 2);
	return 1;
}

/* Nothing more, or a comment. */
static bool ends_line(const char *text)
{
	return strchr(";#", text[strspn(text, " \t\r\n\v\f")]) != NULL;
}

/* "[phase NAME]", which only phases may follow. */
static int check_phase(struct reader *in, const char *name)
{
	const char known[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	struct opt_set *s = in->set;
	const size_t len = strspn(name, known);

	if (len == 0 || len >= OPT_PHASE_MAX || name[len] != '\0')
		return fail_line(in, "a phase is named with 1 to 32 letters, digits, '-' or '_'");
	if (s->phase_count == OPT_PHASES_MAX)
		return fail_line(in, "too many phases");
	for (unsigned i = 0; i < s->phase_count; i++)
		if (strcmp(s->phases[i], name) == 0)
			return fail_line(in, "a phase of this name stands above already");
	memcpy(s->phases[s->phase_count++], name, len + 1);
	return 0;
}

static const char phase_word[] = "phase ";
enum { PHASE_WORD = sizeof(phase_word) - 1 };

static int check_section(struct reader *in, const char *line)
{
	const size_t len = strcspn(line + 1, "]");
	const struct opt_set *s = in->set;
	char name[OPT_LINE_MAX], hint[OPT_HINT_MAX];

	if (line[1 + len] == '\0' || !ends_line(line + 1 + len + 1))
		return fail_line(in, "a section must be '[name]', alone on its line");
	snprintf(name, sizeof(name), "%.*s", (int)len, line + 1);
	if (s->has_phases && strncmp(name, phase_word, PHASE_WORD) == 0)
		return check_phase(in, name + PHASE_WORD);
	if (s->phase_count > 0)
		return fail_line(in, "this section must stand above the phases");
	if (opt_is_section(s, name, hint))
		return 0;
	return fail_line(in, "unknown section [%.49s]%s", name, hint);
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
	const char bom[] = "\xef\xbb\xbf"; /* libinih skips it */
	struct reader *in = arg;

	if (in->error < 0)
		return NULL; /* the last key's */
	in->error = read_line(in, line, (size_t)size);
	if (in->error <= 0)
		return NULL;
	in->error = check_line(in, in->line == 1 && strncmp(line, bom, 3) == 0 ? line + 3 : line);
	return in->error == 0 ? line : NULL;
}

static int fail_unknown(struct reader *in, enum opt_level how, const char *name, const char *key)
{
	char hint[OPT_HINT_MAX];

	opt_hint(in->set, how, name, hint);
	return fail_line(in, "unknown key '%.*s'%s", OPT_NAME_MAX, key, hint);
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
		ini_max_line = OPT_LINE_MAX + 2; /* with its newline and NUL */
	r = ini_parse_stream(next_line, &in, take_key, &in);
	if (in.error == 0 && r != 0)
		return opt_fail(s, "%.200s: line %d cannot be read", name, r);
	return in.error;
}
