/* SPDX-License-Identifier: MIT
 * opt_completion: scripts that complete a command line in bash, zsh and fish, from the rows alone:
 * every option, the words that its row names, files for a PATH. Names that only the program knows,
 * as those of drills, are asked of the program when they are needed.
 */
#include "opt_private.h"

#include <string.h>

#include "echo/base/base.h"

const char *const opt_shells[] = { "off", "bash", "zsh", "fish", NULL };

/* The second column of what `list` prints. */
#define LIST_NAMES " list 2>/dev/null | awk '{ print $2 }'"

static bool is_path(const struct opt *o)
{
	return o->type->metavar && strcmp(o->type->metavar, "PATH") == 0;
}

static bool takes_names(const struct opt_command *c)
{
	return c->operands && strstr(c->operands, "NAME");
}

static bool takes_files(const struct opt_command *c)
{
	return c->operands && strstr(c->operands, "FILE");
}

/* Has the program commands with options of their own? */
static bool has_other_sets(const struct opt_set *s)
{
	for (const struct opt_command *c = s->commands; c && c->name; c++) {
		if (c->own_options)
			return true;
	}
	return false;
}

static void put_function(const struct opt_set *s, FILE *to)
{
	fprintf(to, "_%s%s%s", s->program, s->command ? "_" : "", s->command ? s->command : "");
}

static void put_commands(const struct opt_set *s, bool only_own, const char *glue, FILE *to)
{
	const char *before = "";

	for (const struct opt_command *c = s->commands; c && c->name; c++) {
		if (only_own && !c->own_options)
			continue;
		fprintf(to, "%s%s", before, c->name);
		before = glue;
	}
}

/* A part of a text between single quotes: those of @special get a backslash before them. */
static void put_part(const char *text, size_t len, const char *special, FILE *to)
{
	for (size_t i = 0; i < len && text[i]; i++) {
		if (strchr(special, text[i]))
			fputc('\\', to);
		fputs(text[i] == '\'' ? "'\\''" : (const char[]){ text[i], '\0' }, to);
	}
}

/* The explanation up to the first ';' or '(': there is a line for it. */
static size_t brief(const struct opt *o)
{
	size_t len = strcspn(o->help, ";(");

	while (len > 0 && o->help[len - 1] == ' ')
		len--;
	return len;
}

/* ---- bash ---- */

static void bash_words(const char *const *words, FILE *to)
{
	fputs("words=$'", to);
	for (; *words; words++)
		fprintf(to, "%s%s", *words, words[1] ? "\\n" : "");
	fputs("'", to);
}

static void bash_value(const struct opt_set *s, struct opt_at at, FILE *to)
{
	const struct opt *o = opt_row(s, at);
	char name[OPT_NAME_MAX];

	if (opt_is_switch(o))
		return;
	opt_name(s, at, OPT_CLI, name);
	fputs("\t", to);
	if (o->letter)
		fprintf(to, "-%c | ", o->letter);
	fprintf(to, "%s) ", name);
	if (o->names)
		bash_words(o->names, to);
	else
		fputs(is_path(o) ? "files=1" : ":", to);
	fputs(" ;;\n", to);
}

static void bash_options(const struct opt_set *s, FILE *to)
{
	char name[OPT_NAME_MAX];

	fputs("\t-*) words='", to);
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++) {
		const struct opt *o = opt_row(s, i);

		opt_name(s, i, OPT_CLI, name);
		if (o->letter)
			fprintf(to, "-%c\n", o->letter);
		fprintf(to, "%s\n", name);
		if (o->type == &opt_bool)
			fprintf(to, "--no-%s\n", name + 2);
	}
	fputs("' ;;\n", to);
}

/* What follows each command. Those with options of their own were dealt with before. */
static void bash_operands(const struct opt_set *s, FILE *to)
{
	if (s->command)
		fputs("\t*) files=1 ;;\n", to);
	if (!s->commands)
		return;
	fputs("\t*)\n\t\t", to);
	if (has_other_sets(s))
		fputs("[ \"$COMP_CWORD\" != 1 ] || ", to);
	fputs("words=$'", to);
	put_commands(s, false, "\\n", to);
	fputs("'\n\t\tfor w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n\t\t\tcase $w in\n", to);
	for (const struct opt_command *c = s->commands; c->name; c++) {
		fprintf(to, "\t\t\t%s) words=%s%s; break ;;\n", c->name,
			takes_names(c) ? "$(\"$1\"" LIST_NAMES ")" : "''",
			takes_files(c) ? " files=1" : "");
	}
	fputs("\t\t\tesac\n\t\tdone ;;\n", to);
}

/* "=" and what follows it are words of their own to bash. */
static const char bash_begin[] =
	"()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words='' files='' w\n"
	"\tCOMPREPLY=()\n"
	"\t[ \"$prev\" != = ] || prev=${COMP_WORDS[COMP_CWORD-2]}\n"
	"\t[ \"$cur\" != = ] || cur=''\n";

static const char bash_end[] =
	"\twhile IFS= read -r w; do\n"
	"\t\tcase $w in\n"
	"\t\t'') ;;\n"
	"\t\t\"$cur\"*) printf -v w %q \"$w\"; COMPREPLY+=(\"$w\") ;;\n"
	"\t\tesac\n"
	"\tdone <<<\"$words\"\n"
	"\t[ -n \"$files\" ] || return 0\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"\twhile IFS= read -r w; do COMPREPLY+=(\"$w\"); done < <(compgen -f -- \"$cur\")\n"
	"}\n";

static void print_bash(const struct opt_set *s, FILE *to)
{
	put_function(s, to);
	fputs(bash_begin, to);
	if (has_other_sets(s)) {
		fputs("\tcase $COMP_CWORD/${COMP_WORDS[1]} in\n\t1/*) ;;\n\t*/", to);
		put_commands(s, true, " | */", to);
		fprintf(to, ") \"_%s_${COMP_WORDS[1]}\" \"$@\"; return ;;\n\tesac\n", s->program);
	}
	fputs("\tcase $prev in\n", to);
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++)
		bash_value(s, i, to);
	fputs("\t*) case $cur in\n", to);
	bash_options(s, to);
	bash_operands(s, to);
	fputs("\tesac ;;\n\tesac\n", to);
	fputs(bash_end, to);
	if (!s->command)
		fprintf(to, "complete -F _%s %s\n", s->program, s->program);
}

/* ---- zsh ---- */

static void zsh_explained(const struct opt *o, const char *before, FILE *to)
{
	fprintf(to, "'[%s", before);
	put_part(o->help, brief(o), "[]\\:", to);
	fputs("]", to);
}

/* ":TIME: ", ":NAME:(text json)", ":PATH:_files" */
static void zsh_value(const struct opt *o, FILE *to)
{
	fputs(":", to);
	put_part(o->type->metavar, SIZE_MAX, "\\:", to);
	fputs(o->names ? ":(" : is_path(o) ? ":_files" : ": ", to);
	for (size_t i = 0; o->names && o->names[i]; i++) {
		fputs(i > 0 ? " " : "", to);
		put_part(o->names[i], SIZE_MAX, "\\: ()", to);
	}
	fputs(o->names ? ")" : "", to);
}

static void zsh_bool(const struct opt *o, const char *name, FILE *to)
{
	fprintf(to, "\t\t'(%s --no-%s)'", name, name + 2);
	if (o->letter)
		fprintf(to, "{-%c,%s}", o->letter, name);
	else
		fprintf(to, "%s=-", name);
	zsh_explained(o, "", to);
	fprintf(to, "%s' \\\n\t\t'(%s --no-%s)'--no-%s", o->letter ? "" : "::BOOL:(on off)", name,
		name + 2, name + 2);
	zsh_explained(o, "not\\: ", to);
	fputs("' \\\n", to);
}

static void zsh_row(const struct opt_set *s, struct opt_at at, FILE *to)
{
	const struct opt *o = opt_row(s, at);
	const bool value = !opt_is_switch(o);
	char name[OPT_NAME_MAX];

	opt_name(s, at, OPT_CLI, name);
	if (o->type == &opt_bool) {
		zsh_bool(o, name, to);
		return;
	}
	fputs("\t\t", to);
	if (o->repeats)
		fputs("'*'", to);
	else if (o->letter)
		fprintf(to, "'(-%c %s)'", o->letter, name);
	if (o->letter)
		fprintf(to, "{-%c%s,%s%s}", o->letter, value ? "+" : "", name, value ? "=" : "");
	else
		fprintf(to, "%s%s", name, value ? "=" : "");
	zsh_explained(o, "", to);
	if (value)
		zsh_value(o, to);
	fputs("' \\\n", to);
}

static void zsh_operands(const struct opt_set *s, FILE *to)
{
	put_function(s, to);
	fputs("_operand()\n{\n\tlocal w\n\tfor w in $words[2,CURRENT-1]; do\n\t\tcase $w in\n", to);
	for (const struct opt_command *c = s->commands; c->name; c++) {
		fprintf(to, "\t\t(%s)%s%s return ;;\n", c->name,
			takes_names(c) ? " compadd -- $($words[1]" LIST_NAMES ");" : "",
			takes_files(c) ? " _files;" : "");
	}
	fputs("\t\tesac\n\tdone\n}\n", to);
}

static void print_zsh(const struct opt_set *s, FILE *to)
{
	fprintf(to, "#compdef %s\n", s->program);
	if (s->commands)
		zsh_operands(s, to);
	put_function(s, to);
	fputs("()\n{\n", to);
	if (has_other_sets(s)) {
		fputs("\tif (( CURRENT > 2 )) && [[ $words[2] = (", to);
		put_commands(s, true, "|", to);
		fprintf(to,
			") ]]; then\n\t\tshift words\n\t\t(( CURRENT-- ))\n\t\t"
			"_%s_$words[1]\n\t\treturn\n\tfi\n",
			s->program);
	}
	fputs("\t_arguments -S : \\\n", to);
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++)
		zsh_row(s, i, to);
	if (s->commands) {
		fputs("\t\t'1:command:(", to);
		put_commands(s, false, " ", to);
		fputs(")' '*:operand:", to);
		put_function(s, to);
		fputs("_operand' \\\n", to);
	}
	fprintf(to, "%s\n}\n", s->command ? "\t\t'*:file:_files'" : "");
	if (!s->command)
		fprintf(to, "_%s \"$@\"\n", s->program);
}

/* ---- fish ---- */

/* fish knows two escapes between single quotes. */
static void fish_quoted(const char *text, size_t len, FILE *to)
{
	fputc('\'', to);
	for (size_t i = 0; i < len && text[i]; i++)
		fprintf(to, "%s%c", text[i] == '\'' || text[i] == '\\' ? "\\" : "", text[i]);
	fputc('\'', to);
}

static void fish_begin(const struct opt_set *s, FILE *to)
{
	fprintf(to, "complete -c %s", s->program);
	if (s->command)
		fprintf(to, " -n '__fish_seen_subcommand_from %s'", s->command);
	else if (has_other_sets(s)) {
		fputs(" -n 'not __fish_seen_subcommand_from ", to);
		put_commands(s, true, " ", to);
		fputs("'", to);
	}
}

/* Blanks within a word are escaped for the list, and the escape for the quotes. */
static void fish_value(const struct opt *o, FILE *to)
{
	fputs(is_path(o) ? " -r -F" : " -x", to);
	for (size_t i = 0; o->names && o->names[i]; i++) {
		fputs(i > 0 ? " " : " -a '", to);
		for (const char *c = o->names[i]; *c; c++)
			fprintf(to, "%s%c", *c == ' ' ? "\\\\" : "", *c);
	}
	fputs(o->names ? "'" : "", to);
}

static void fish_row(const struct opt_set *s, struct opt_at at, FILE *to)
{
	const struct opt *o = opt_row(s, at);
	char name[OPT_NAME_MAX];

	opt_name(s, at, OPT_CLI, name);
	fish_begin(s, to);
	if (o->letter)
		fprintf(to, " -s %c", o->letter);
	fprintf(to, " -l %s", name + 2);
	if (!opt_is_switch(o))
		fish_value(o, to);
	fputs(" -d ", to);
	fish_quoted(o->help, brief(o), to);
	fputs("\n", to);
	if (o->type != &opt_bool)
		return;
	fish_begin(s, to);
	fprintf(to, " -l no-%s\n", name + 2);
}

static void fish_command(const struct opt_set *s, const struct opt_command *c, FILE *to)
{
	const char *const when = " -n '__fish_seen_subcommand_from";

	fprintf(to, "complete -c %s -n __fish_use_subcommand -a %s\n", s->program, c->name);
	if (takes_files(c))
		fprintf(to, "complete -c %s%s %s' -F\n", s->program, when, c->name);
	if (!takes_names(c))
		return;
	fprintf(to, "complete -c %s%s %s' -a ", s->program, when, c->name);
	fish_quoted("(set -l line (commandline -opc); $line[1]" LIST_NAMES ")", SIZE_MAX, to);
	fputs("\n", to);
}

static void print_fish(const struct opt_set *s, FILE *to)
{
	if (!s->command)
		fprintf(to, "complete -c %s -f\n", s->program);
	for (const struct opt_command *c = s->commands; c && c->name; c++)
		fish_command(s, c, to);
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++)
		fish_row(s, i, to);
}

void opt_print_completion(const struct opt_set *s, enum opt_shell shell, FILE *to)
{
	static void (*const printers[])(const struct opt_set *, FILE *) = {
		[OPT_SHELL_BASH] = print_bash,
		[OPT_SHELL_ZSH] = print_zsh,
		[OPT_SHELL_FISH] = print_fish,
	};

	if (printers[shell])
		printers[shell](s, to);
}
