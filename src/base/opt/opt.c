/* SPDX-License-Identifier: MIT
 * opt: rows to struct. Whatever the origin, a value takes one path: its reader finds the row by the
 * name it calls it (opt_find) and gives it the text (opt_apply), which checks, stores and remembers
 * the place. So every origin has the same values, the same errors and the same hints.
 */
#include "opt_private.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"

static int fail_args(struct opt_set *s, const char *place, const char *fmt, va_list args)
{
	char text[OPT_ERROR_MAX];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", place);

	assert(len < OPT_PLACE_MAX);
	vsnprintf(text + len, sizeof(text) - len, fmt, args);
	escape_text(text, s->error, sizeof(s->error));
	return -EINVAL;
}

int opt_fail(struct opt_set *s, const char *fmt, ...)
{
	va_list args;
	int r;

	va_start(args, fmt);
	r = fail_args(s, "", fmt, args);
	va_end(args);
	return r;
}

/* "echod.conf:3: workers: ", "ECHOD_WORKERS: ", "--workers: ", "default of workers: " */
void opt_place(const struct opt_set *s, struct opt_at at, struct opt_origin from,
	       char place[OPT_PLACE_MAX])
{
	enum opt_level how = from.level == OPT_FILE ? OPT_DEFAULT : from.level;
	char name[OPT_NAME_MAX];

	opt_name(s, at, how, name);
	if (from.level == OPT_FILE)
		snprintf(place, OPT_PLACE_MAX, "%.150s:%u: %s: ", s->file, from.line, name);
	else
		snprintf(place, OPT_PLACE_MAX,
			 "%s%s: ", from.level == OPT_DEFAULT ? "default of " : "", name);
}

static int fail_again(struct opt_set *s, const char *place, struct opt_origin first)
{
	if (first.level == OPT_FILE)
		return opt_fail(s, "%sis already given in line %u", place, first.line);
	return opt_fail(s, "%sis given twice", place);
}

int opt_apply(struct opt_set *s, struct opt_at at, const char *text, struct opt_origin from)
{
	struct opt_origin *origin = &s->sections[at.section].origin[at.row];
	const struct opt *o = opt_row(s, at);
	char place[OPT_PLACE_MAX], why[OPT_ERROR_MAX] = "is not valid";
	bool again = from.level != OPT_DEFAULT && origin->level == from.level &&
		     origin->phase == from.phase;

	opt_place(s, at, from, place);
	if (again && !o->repeats)
		return fail_again(s, place, *origin);
	if (text[0] == '\0')
		return opt_fail(s, "%sneeds a value", place);
	if (strlen(text) >= OPT_TEXT_MAX)
		return opt_fail(s, "%sis longer than %d characters", place, OPT_TEXT_MAX - 1);
	if (o->repeats && !again)
		memset(opt_field(s, at), 0, o->size);
	if (o->type->parse(o, text, opt_field(s, at), why) < 0)
		return opt_fail(s, "%s'%s' %s", place, text, why);
	*origin = from;
	return 0;
}

/* Does no other row have its name or letter? */
static bool is_alone(const struct opt_set *s, struct opt_at at)
{
	const struct opt *o = opt_row(s, at);
	char name[OPT_NAME_MAX];
	struct opt_at found = at;

	opt_name(s, at, OPT_CLI, name);
	if (!opt_find(s, OPT_CLI, name, &found) || opt_row(s, found) != o)
		return false;
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++)
		if (o->letter != '\0' && opt_row(s, i)->letter == o->letter && opt_row(s, i) != o)
			return false;
	return true;
}

/* What only a bug in the rows can break. */
static void check_rows(const struct opt_set *s, unsigned section)
{
	struct opt_at at = { section, 0 };

	for (; s->sections[section].rows[at.row].key; at.row++) {
		const struct opt *o = opt_row(s, at);

		assert(at.row < OPT_ROWS_MAX && strlen(o->key) < OPT_NAME_MAX / 4);
		assert(o->help && o->type && o->size > 0);
		assert(o->type != &opt_enum || o->names);
		assert(is_alone(s, at));
	}
}

void opt_add(struct opt_set *s, const char *name, const struct opt *rows, void *base)
{
	struct opt_section *added = &s->sections[s->count];

	assert(s->program && s->count < OPT_SECTIONS_MAX);
	assert(name && strlen(name) < OPT_NAME_MAX / 4 && rows && base);
	*added = (struct opt_section){ .name = name, .rows = rows, .base = base };
	s->count++;
	check_rows(s, s->count - 1);
}

int opt_read_defaults(struct opt_set *s)
{
	const struct opt_origin none = { OPT_DEFAULT, 0, false };
	int r;

	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++) {
		const char *fallback = opt_row(s, i)->fallback;

		memset(opt_field(s, i), 0, opt_row(s, i)->size);
		s->sections[i.section].origin[i.row] = none;
		if (!fallback || !fallback[0])
			continue;
		r = opt_apply(s, i, fallback, none);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct opt_origin *opt_origin_of(const struct opt_set *s, const char *key)
{
	struct opt_at at;

	return opt_find(s, OPT_DEFAULT, key, &at) ? &s->sections[at.section].origin[at.row] : NULL;
}

int opt_error_at(struct opt_set *s, const char *key, const char *fmt, ...)
{
	char place[OPT_PLACE_MAX] = "";
	struct opt_at at;
	va_list args;
	int r;

	if (opt_find(s, OPT_DEFAULT, key, &at))
		opt_place(s, at, s->sections[at.section].origin[at.row], place);
	else
		snprintf(place, sizeof(place), "%s: ", key);
	va_start(args, fmt);
	r = fail_args(s, place, fmt, args);
	va_end(args);
	return r;
}
