/* SPDX-License-Identifier: MIT
 * opt_args: the command line and the environment. The command line is walked twice with one step:
 * first only to see whether help is asked for or a config file named, then to apply it over
 * file and environment. Only the second walk moves operands.
 */
#include "opt_private.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "echo/base/base.h"

struct walk {
	int argc;
	char **argv;
	int next;      /* index of the word to read */
	int operands;  /* seen so far */
	bool moving;   /* put operands to the front */
	bool all_rest; /* after "--" */
};

/* One option of the command line: its row and the text of its value. */
struct given {
	struct opt_at at;
	const char *text;
};

static bool find_letter(const struct opt_set *s, char letter, struct opt_at *at)
{
	for (struct opt_at i = { 0, 0 }; opt_valid(s, &i); i.row++)
		if (letter != '\0' && opt_row(s, i)->letter == letter) {
			*at = i;
			return true;
		}
	return false;
}

/* "--no-key" of a bool. */
static bool find_negated(const struct opt_set *s, const char *name, struct opt_at *at)
{
	char positive[OPT_NAME_MAX];

	if (strncmp(name, "--no-", 5) != 0 && strncmp(name, "--no_", 5) != 0)
		return false;
	snprintf(positive, sizeof(positive), "--%s", name + 5);
	return opt_find(s, OPT_CLI, positive, at) && opt_row(s, *at)->type == &opt_bool;
}

/* Cuts "--key" from "--key=value". False: too long to be the name of a row. */
static bool cut_name(const char *word, char name[OPT_NAME_MAX])
{
	size_t len = strcspn(word, "=");

	if (len >= OPT_NAME_MAX)
		return false;
	memcpy(name, word, len);
	name[len] = '\0';
	return true;
}

/* Would this word be read as an option, so that it is no value of the option before it? */
static bool looks_known(const struct opt_set *s, const char *word)
{
	char name[OPT_NAME_MAX];
	struct opt_at at;

	if (word[0] != '-' || word[1] == '\0')
		return false;
	if (word[1] != '-')
		return find_letter(s, word[1], &at);
	if (word[2] == '\0')
		return true;
	return cut_name(word, name) &&
	       (opt_find(s, OPT_CLI, name, &at) || find_negated(s, name, &at));
}

/* The value of an option that brought none in its own word. Returns 0 or -EINVAL. */
static int take_value(struct opt_set *s, struct walk *w, struct given *g)
{
	const struct opt *o = opt_row(s, g->at);
	const char *word = w->next < w->argc ? w->argv[w->next] : NULL;
	char name[OPT_NAME_MAX];
	bool ignored;

	if (opt_is_switch(o) && !(o->type == &opt_bool && word && opt_bool_word(word, &ignored))) {
		g->text = "on";
		return 0;
	}
	if (!word || looks_known(s, word)) {
		opt_name(s, g->at, OPT_CLI, name);
		return opt_fail(s, "%s: needs a value", name);
	}
	g->text = word;
	w->next++;
	return 0;
}

static int read_long(struct opt_set *s, struct walk *w, const char *word, struct given *g)
{
	const char *equals = strchr(word, '=');
	char name[OPT_NAME_MAX], hint[OPT_HINT_MAX];
	bool negated = false;

	if (!cut_name(word, name))
		return opt_fail(s, "unknown option '%.60s...'", word);
	if (!opt_find(s, OPT_CLI, name, &g->at)) {
		negated = find_negated(s, name, &g->at);
		if (!negated) {
			opt_hint(s, OPT_CLI, name, hint);
			return opt_fail(s, "unknown option '%s'%s", name, hint);
		}
	}
	if (equals && (negated || !opt_row(s, g->at)->type->metavar))
		return opt_fail(s, "%s: takes no value", name);
	g->text = equals ? equals + 1 : "off";
	return equals || negated ? 0 : take_value(s, w, g);
}

static int read_short(struct opt_set *s, struct walk *w, const char *word, struct given *g)
{
	if (!find_letter(s, word[1], &g->at))
		return opt_fail(s, "unknown option '%s'", word);
	if (word[2] == '\0')
		return take_value(s, w, g);
	if (!opt_row(s, g->at)->type->metavar)
		return opt_fail(s, "-%c: takes no value, but '%s' follows it", word[1], word + 2);
	g->text = word + 2;
	return 0;
}

/* Steps to the next option, over operands. Returns 1, 0 at the end, or -EINVAL. */
static int walk_next(struct opt_set *s, struct walk *w, struct given *g)
{
	int r;

	while (w->next < w->argc) {
		char *word = w->argv[w->next++];

		if (w->all_rest || word[0] != '-' || word[1] == '\0') {
			w->operands++;
			assert(w->operands < w->next);
			if (w->moving)
				w->argv[w->operands] = word;
		} else if (strcmp(word, "--") == 0) {
			w->all_rest = true;
		} else {
			r = word[1] == '-' ? read_long(s, w, word, g) : read_short(s, w, word, g);
			return r < 0 ? r : 1;
		}
	}
	return 0;
}

int opt_peek_args(struct opt_set *s, int argc, char **argv, const char **file)
{
	const struct opt_origin from = { OPT_CLI, 0, false };
	struct walk w = { .argc = argc, .argv = argv, .next = 1 };
	struct given g = { .text = NULL };
	int r;

	while ((r = walk_next(s, &w, &g)) > 0) {
		const struct opt *o = opt_row(s, g.at);

		if (g.at.section > 0 || !o->cli_only)
			continue;
		if (strcmp(o->key, "help") == 0 || strcmp(o->key, "version") == 0) {
			r = opt_apply(s, g.at, g.text, from);
			return r < 0 ? r : 1;
		}
		if (o->letter == 'f' && strcmp(o->key, "config") == 0)
			*file = g.text;
	}
	return r;
}

int opt_read_args(struct opt_set *s, int argc, char **argv)
{
	const struct opt_origin from = { OPT_CLI, 0, false };
	struct walk w = { .argc = argc, .argv = argv, .next = 1, .moving = true };
	struct given g = { .text = NULL };
	int r;

	while ((r = walk_next(s, &w, &g)) > 0) {
		r = opt_apply(s, g.at, g.text, from);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : w.operands;
}

static bool has_prefix(const struct opt_set *s, const char *variable)
{
	size_t len = strlen(s->program);

	for (size_t i = 0; i < len; i++) {
		int upper = s->program[i] == '-' ? '_' : toupper((unsigned char)s->program[i]);

		if (variable[i] != upper)
			return false;
	}
	return variable[len] == '_';
}

static int read_variable(struct opt_set *s, const char *variable)
{
	const struct opt_origin from = { OPT_ENV, 0, false };
	const char *equals = strchr(variable, '=');
	char name[OPT_NAME_MAX], hint[OPT_HINT_MAX];
	struct opt_at at;

	if (!cut_name(variable, name))
		return opt_fail(s, "unknown variable '%.60s...' in the environment", variable);
	if (!opt_find(s, OPT_ENV, name, &at)) {
		opt_hint(s, OPT_ENV, name, hint);
		return opt_fail(s, "unknown variable '%s' in the environment%s", name, hint);
	}
	return opt_apply(s, at, equals ? equals + 1 : "", from);
}

int opt_read_env(struct opt_set *s, char *const *env)
{
	int r;

	for (; *env; env++) {
		r = has_prefix(s, *env) ? read_variable(s, *env) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}
