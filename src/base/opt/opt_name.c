/* SPDX-License-Identifier: MIT
 * opt_name: what each origin of values calls a row, and which row a mistyped name may have meant.
 * Names are made from the rows when they are compared: a few hundred at start, and no second table.
 */
#include "opt_private.h"

#include <ctype.h>
#include <string.h>

#include "echo/base/base.h"

bool opt_valid(const struct opt_set *s, struct opt_at *at)
{
	while (at->section < s->count && !opt_row(s, *at)->key) {
		at->section++;
		at->row = 0;
	}
	return at->section < s->count;
}

/* "server.workers": the section is left out where it goes without saying. */
static void dotted_name(const char *section, const char *key, bool full, char *name)
{
	snprintf(name, OPT_NAME_MAX, "%s%s%s", full ? section : "", full ? "." : "", key);
}

static void env_name(const char *program, const char *section, const char *key, char *name)
{
	snprintf(name, OPT_NAME_MAX, "%s_%s%s%s", program, section, section[0] ? "_" : "", key);
	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static void cli_name(const char *section, const char *key, char *name)
{
	int len = snprintf(name, OPT_NAME_MAX, "--%s%s", section, section[0] ? "-" : "");

	snprintf(name + len, (size_t)(OPT_NAME_MAX - len), "%s", key);
	for (char *c = name + len; *c; c++)
		*c = *c == '_' ? '-' : *c;
}

void opt_name(const struct opt_set *s, struct opt_at at, enum opt_level how,
	      char name[OPT_NAME_MAX])
{
	const struct opt_section *section = &s->sections[at.section];
	const char *prefix = at.section > 0 ? section->name : "";
	const char *key = opt_row(s, at)->key;

	switch (how) {
	case OPT_ENV:
		env_name(s->program, prefix, key, name);
		break;
	case OPT_CLI:
		cli_name(prefix, key, name);
		break;
	case OPT_DEFAULT:
	case OPT_FILE:
		dotted_name(how == OPT_FILE ? opt_heading(s, at) : section->name, key,
			    how == OPT_FILE || at.section > 0, name);
		break;
	}
}

static bool is_known_to(enum opt_level how, const struct opt *o)
{
	return !o->cli_only || how == OPT_CLI || how == OPT_DEFAULT;
}

static bool same_name(const char *a, const char *b, bool fold)
{
	for (; *a && *b; a++, b++)
		if (*a != *b && !(fold && (*a == '-' || *a == '_') && (*b == '-' || *b == '_')))
			return false;
	return *a == *b;
}

bool opt_find(const struct opt_set *s, enum opt_level how, const char *name, struct opt_at *at)
{
	char known[OPT_NAME_MAX];

	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++) {
		opt_name(s, i, how, known);
		if (is_known_to(how, opt_row(s, i)) && same_name(known, name, how != OPT_ENV)) {
			*at = i;
			return true;
		}
	}
	return false;
}

/* Levenshtein's distance, one row of the table at a time. Names longer than the table are far. */
static size_t distance(const char *a, const char *b)
{
	size_t row[OPT_NAME_MAX], len = strlen(b), diagonal, up;

	if (strlen(a) >= OPT_NAME_MAX || len >= OPT_NAME_MAX)
		return OPT_NAME_MAX;
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			up = row[j + 1];
			row[j + 1] = size_min(size_min(up, row[j]) + 1, diagonal + (a[i] != b[j]));
			diagonal = up;
		}
	}
	return row[len];
}

/* The part of a name that people mistype: without "--", "PROGRAM_" or "section.". */
static const char *name_tail(const struct opt_set *s, enum opt_level how, const char *name)
{
	size_t skip = how == OPT_CLI ? 2 : how == OPT_ENV ? strlen(s->program) + 1 : 0;
	const char *dot = how == OPT_FILE ? strchr(name, '.') : NULL;

	return dot ? dot + 1 : name + size_min(skip, strlen(name));
}

static bool same_section(enum opt_level how, const char *a, const char *b)
{
	size_t len = strcspn(a, ".") + 1;

	return how != OPT_FILE || strncmp(a, b, len) == 0;
}

/* Names as far apart as this are not meant for each other. */
static size_t too_far(const char *name)
{
	return 1 + size_max(1, size_min(3, strlen(name) / 3));
}

void opt_hint(const struct opt_set *s, enum opt_level how, const char *name,
	      char hint[OPT_HINT_MAX])
{
	const char *tail = name_tail(s, how, name);
	size_t d, best = too_far(tail);
	char known[OPT_NAME_MAX];

	hint[0] = '\0';
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++) {
		if (!is_known_to(how, opt_row(s, i)))
			continue;
		opt_name(s, i, how, known);
		d = distance(tail, name_tail(s, how, known));
		if (same_section(how, name, known) && d < best) {
			best = d;
			snprintf(hint, OPT_HINT_MAX, "; did you mean '%s'?",
				 how == OPT_FILE ? name_tail(s, how, known) : known);
		} else if (!hint[0] && d == 0) { /* the key of another section */
			snprintf(hint, OPT_HINT_MAX, "; it belongs in [%s]", opt_heading(s, i));
		}
	}
}

bool opt_is_closer(const char *name, const char *known, size_t *best)
{
	const size_t d = distance(name, known);

	if (d >= too_far(name) || d >= *best)
		return false;
	*best = d;
	return true;
}

bool opt_is_section(const struct opt_set *s, const char *name, char hint[OPT_HINT_MAX])
{
	size_t d, best = too_far(name);

	hint[0] = '\0';
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++) {
		d = distance(name, opt_heading(s, i));
		if (d < best) {
			best = d;
			snprintf(hint, OPT_HINT_MAX, "; did you mean [%s]?", opt_heading(s, i));
		}
	}
	return best == 0;
}
