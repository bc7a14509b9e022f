/* SPDX-License-Identifier: MIT
 * opt_doc: what people read about options, made from the rows: --help in 80 columns, --print-config
 * as a file that reads back, and each key with its value for results that carry their
 * configuration.
 */
#include "opt_private.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/textwrap.h"

enum {
	HELP_COLUMN = 29, /* where the explanation begins */
	VALUE_WIDTH = 16, /* --print-config aligns comments behind values of up to this */
	SOURCE_MAX = 100, /* longer names of files are cut in comments, or lines grow too long */
};

/* What follows the help of a row, in brackets: "0 to 1024; may repeat; default 0; live; in [x]". */
static void explain_more(const struct opt_set *s, struct opt_at at, char more[OPT_ERROR_MAX])
{
	const struct opt *o = opt_row(s, at);
	char limits[OPT_ERROR_MAX] = "", fallback[OPT_TEXT_MAX] = "", group[OPT_NAME_MAX] = "";
	const char *const parts[] = { opt_limits(o, limits) ? limits : "",
				      o->repeats ? "may repeat" : "", fallback,
				      s->reloads && o->live ? "live" : "", group };
	size_t len = 0;

	if (o->fallback && o->fallback[0])
		snprintf(fallback, sizeof(fallback), "default %.200s", o->fallback);
	if (o->group)
		snprintf(group, sizeof(group), "in [%.40s]", o->group);
	more[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(parts) && len < OPT_ERROR_MAX; i++) {
		if (parts[i][0])
			len += (size_t)snprintf(more + len, OPT_ERROR_MAX - len, "%s%s",
						len > 0 ? "; " : "", parts[i]);
	}
}

void opt_explain(const struct opt_set *s, struct opt_at at, char text[OPT_EXPLAIN_MAX])
{
	char more[OPT_ERROR_MAX];

	explain_more(s, at, more);
	snprintf(text, OPT_EXPLAIN_MAX, "%.300s%s%.400s%s", opt_row(s, at)->help,
		 more[0] ? " (" : "", more, more[0] ? ")" : "");
}

static void print_lines(const char *text, FILE *to)
{
	char line[OPT_ERROR_MAX];
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		textwrap_put(to, "", 0, 0, line);
	}
}

static void help_row(const struct opt_set *s, struct opt_at at, FILE *to)
{
	const struct opt *o = opt_row(s, at);
	char name[OPT_NAME_MAX], left[2 * OPT_NAME_MAX], text[OPT_EXPLAIN_MAX];
	const char *metavar = o->type->metavar;

	opt_name(s, at, OPT_CLI, name);
	if (o->type == &opt_bool)
		metavar = NULL;
	snprintf(left, sizeof(left), "  %c%c%c --%s%s%s%.60s", o->letter ? '-' : ' ',
		 o->letter ? o->letter : ' ', o->letter ? ',' : ' ',
		 o->type == &opt_bool ? "[no-]" : "", name + 2, metavar ? " " : "",
		 metavar ? metavar : "");
	opt_explain(s, at, text);
	textwrap_put(to, left, HELP_COLUMN, 0, text);
}

void opt_print_help(const struct opt_set *s, FILE *to)
{
	unsigned last = OPT_SECTIONS_MAX;
	char text[OPT_ERROR_MAX];

	snprintf(text, sizeof(text), "%s %s", s->program, s->usage ? s->usage : "");
	textwrap_put(to, "Usage:", 7, 0, text);
	if (s->about) {
		fputc('\n', to);
		print_lines(s->about, to);
	}
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++) {
		if (i.section != last)
			fprintf(to, i.section == 0 ? "\nOptions:\n" : "\nSection [%s]:\n",
				s->sections[i.section].name);
		last = i.section;
		help_row(s, i, to);
	}
	if (s->after)
		fprintf(to, "\n%s%s", s->after, s->after[0] ? "\n" : "");
}

/* @line 0: not known, as of all but the last value of a row that repeats. */
static void print_file(const char *name, unsigned line, FILE *to)
{
	fputs("; ", to);
	for (size_t i = 0; i < SOURCE_MAX && name[i]; i++)
		fputc(iscntrl((unsigned char)name[i]) ? '?' : name[i], to);
	if (line > 0)
		fprintf(to, ":%u", line);
	fputc('\n', to);
}

static void print_origin(const struct opt_set *s, struct opt_at at, bool last, FILE *to)
{
	const struct opt_origin *from = &s->sections[at.section].origin[at.row];
	char name[OPT_NAME_MAX];

	switch (from->level) {
	case OPT_DEFAULT:
		fputs("; default\n", to);
		break;
	case OPT_FILE:
		print_file(s->file, last ? from->line : 0, to);
		break;
	case OPT_ENV:
		opt_name(s, at, OPT_ENV, name);
		fprintf(to, "; environment %s\n", name);
		break;
	case OPT_CLI:
		fputs("; command line\n", to);
		break;
	}
}

/* A row without a value becomes a comment: a file has no words for "none". */
static void config_row(const struct opt_set *s, struct opt_at at, int width, FILE *to)
{
	const struct opt *o = opt_row(s, at);
	const void *field = opt_field(s, at);
	char text[OPT_TEXT_MAX], next[OPT_TEXT_MAX] = "";
	bool more = o->type->print(o, field, 0, text);

	if (!more) {
		fprintf(to, ";%-*s= %-*s ", width, o->key, VALUE_WIDTH, "");
		print_origin(s, at, true, to);
	}
	for (unsigned nth = 1; more; nth++) {
		more = o->type->print(o, field, nth, next);
		fprintf(to, "%-*s = %-*s ", width, o->key, VALUE_WIDTH, text);
		print_origin(s, at, !more, to);
		memcpy(text, next, sizeof(text));
	}
}

static int widest_key(const struct opt_section *section)
{
	size_t width = 0;

	for (const struct opt *o = section->rows; o->key; o++)
		if (!o->cli_only)
			width = size_max(width, strlen(o->key));
	return (int)width;
}

/* The rows of one heading: a section's own, or those of a group in it (NULL: its own). */
static void config_group(const struct opt_set *s, unsigned i, const char *group, FILE *to)
{
	const struct opt_section *section = &s->sections[i];
	const int width = widest_key(section);

	fprintf(to, "%s[%s]\n", i == 0 && !group ? "" : "\n", group ? group : section->name);
	for (unsigned row = 0; section->rows[row].key; row++)
		if (!section->rows[row].cli_only && section->rows[row].group == group)
			config_row(s, (struct opt_at){ i, row }, width, to);
}

/* Is it the first row of its group? Groups are compared as pointers: a table names each once. */
static bool begins_group(const struct opt *rows, const struct opt *o)
{
	while (rows->group != o->group)
		rows++;
	return o->group && rows == o;
}

void opt_print_config(const struct opt_set *s, FILE *to)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct opt *rows = s->sections[i].rows;

		if (widest_key(&s->sections[i]) == 0)
			continue;
		config_group(s, i, NULL, to);
		for (const struct opt *o = rows; o->key; o++)
			if (begins_group(rows, o))
				config_group(s, i, o->group, to);
	}
}

void opt_print_phase(const struct opt_set *s, FILE *to)
{
	const struct opt_section *section = &s->sections[0];
	const int width = widest_key(section);

	fprintf(to, "\n[phase %s]\n", s->phase);
	for (unsigned row = 0; section->rows[row].key; row++)
		if (section->origin[row].phase)
			config_row(s, (struct opt_at){ 0, row }, width, to);
}

void opt_each(const struct opt_set *s,
	      void (*each)(void *arg, const char *section, const char *key, const char *value),
	      void *arg)
{
	char text[OPT_TEXT_MAX];

	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++) {
		const struct opt *o = opt_row(s, i);
		const void *field = opt_field(s, i);

		for (unsigned n = 0; !o->cli_only && o->type->print(o, field, n, text); n++)
			each(arg, s->sections[i.section].name, o->key, text);
	}
}
