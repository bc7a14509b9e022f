/* SPDX-License-Identifier: MIT
 * opt_man: the manual page in mdoc(7), from the rows alone, so that it never lags behind. In the
 * text that ends --help, a line such as "Exit status:" that begins in the first column becomes a
 * section here, and what follows it is shown as it stands.
 */
#include "opt_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Text that roff must not take for a request or an escape. */
static void roff(FILE *to, const char *text, size_t len)
{
	if (len > 0 && (text[0] == '.' || text[0] == '\''))
		fputs("\\&", to);
	for (size_t i = 0; i < len; i++)
		if (text[i] == '\\')
			fputs("\\e", to);
		else
			fputc(text[i], to);
}

/* Running text: a sentence begins a line, as mdoc wants it, and no line is longer than 80. */
static void paragraph(FILE *to, const char *text)
{
	size_t column = 0, len;
	bool ended = false;

	for (text += strspn(text, " \n"); *text; text += strspn(text, " \n")) {
		len = strcspn(text, " \n");
		if (column > 0) {
			bool breaks = ended || column + len > 76;

			fputc(breaks ? '\n' : ' ', to);
			column = breaks ? 0 : column + 1;
		}
		roff(to, text, len);
		column += len;
		ended = strchr(".!?", text[len - 1]) != NULL;
		text += len;
	}
	fputc('\n', to);
}

/* A build that must be reproducible says which day it is. */
static void print_date(FILE *to)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	time_t now = epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
	char date[64];
	struct tm tm;

	if (!gmtime_r(&now, &tm) || strftime(date, sizeof(date), "%B %-d, %Y", &tm) == 0)
		snprintf(date, sizeof(date), "January 1, 1970");
	fprintf(to, ".Dd %s\n", date);
}

static void print_upper(FILE *to, const char *text, size_t len)
{
	for (size_t i = 0; i < len && text[i]; i++)
		fputc(toupper((unsigned char)text[i]), to);
}

static void print_top(const struct opt_set *s, FILE *to)
{
	const char *about = s->about ? s->about : "a program of echolab";
	size_t sentence = strcspn(about, ".\n");

	print_date(to);
	fputs(".Dt ", to);
	print_upper(to, s->program, strlen(s->program));
	fprintf(to, " 1\n.Os\n.Sh NAME\n.Nm %s\n.Nd %.*s\n", s->program, (int)sentence, about);
	fputs(".Sh SYNOPSIS\n.Nm\n", to);
	paragraph(to, s->usage ? s->usage : "");
	fputs(".Sh DESCRIPTION\n", to);
	paragraph(to, about);
}

static void print_option(const struct opt_set *s, struct opt_at at, FILE *to)
{
	const struct opt *o = opt_row(s, at);
	char name[OPT_NAME_MAX], text[OPT_EXPLAIN_MAX];

	opt_name(s, at, OPT_CLI, name);
	fputs(".It", to);
	if (o->letter)
		fprintf(to, " Fl %c ,", o->letter);
	fprintf(to, " Fl -%s%s", o->type == &opt_bool ? "[no-]" : "", name + 2);
	if (o->type->metavar && o->type != &opt_bool)
		fprintf(to, " Ar \\&%s", o->type->metavar);
	fputc('\n', to);
	opt_explain(s, at, text);
	paragraph(to, text);
}

static void print_options(const struct opt_set *s, FILE *to)
{
	unsigned last = 0;

	fputs(".Sh OPTIONS\n.Bl -tag -width Ds\n", to);
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++) {
		if (i.section != last)
			fprintf(to, ".El\n.Ss Section %s\n.Bl -tag -width Ds\n",
				s->sections[i.section].name);
		last = i.section;
		print_option(s, i, to);
	}
	fputs(".El\n", to);
}

static void print_origins(const struct opt_set *s, FILE *to)
{
	char text[OPT_ERROR_MAX];

	fputs(".Sh CONFIGURATION\n", to);
	snprintf(text, sizeof(text),
		 "A value comes from the command line, else from the environment, else from the "
		 "config file, else it is the default. Long options that set something are keys of "
		 "the config file: words are joined by '_' or '-', the first options stand in "
		 "section [%s] unless they name another, those of a section below in that "
		 "section. A comment begins with ';', a line of its own with '#' too.",
		 s->sections[0].name);
	paragraph(to, text);
	fputs(".Pp\n", to);
	paragraph(to, "Counts take the units k, M, G, Ki, Mi and Gi, sizes too; times take ns, us, "
		      "ms, s, m and h. Nothing is ignored or rounded: an unknown key, a key given "
		      "twice or a value out of range is an error.");
	fputs(".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev ", to);
	print_upper(to, s->program, strlen(s->program));
	fputs("_KEY\nThe value of a key.\n", to);
	if (s->count > 1) {
		fputs(".It Ev ", to);
		print_upper(to, s->program, strlen(s->program));
		fprintf(to,
			"_SECTION_KEY\nThe value of a key whose option begins with its section, "
			"as --%s-%s does.\n",
			s->sections[1].name, s->sections[1].rows[0].key);
	}
	fputs(".El\n", to);
}

static bool is_heading(const char *line, size_t len)
{
	return len > 1 && isalpha((unsigned char)line[0]) && line[len - 1] == ':';
}

static void print_after(const char *text, FILE *to)
{
	bool open = false, empty = false;
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (is_heading(text, len)) {
			fputs(open ? ".Ed\n.Sh " : ".Sh ", to);
			print_upper(to, text, len - 1);
			fputs("\n.Bd -literal\n", to);
		} else if (len > 0) {
			fputs(!open ? ".Sh NOTES\n.Bd -literal\n" : empty ? "\n" : "", to);
			roff(to, text, len);
			fputc('\n', to);
		}
		open = open || len > 0;
		empty = len == 0; /* blank lines are kept only between lines of one section */
	}
	fputs(open ? ".Ed\n" : "", to);
}

void opt_print_man(const struct opt_set *s, FILE *to)
{
	print_top(s, to);
	print_options(s, to);
	print_origins(s, to);
	if (s->after)
		print_after(s->after, to);
}
