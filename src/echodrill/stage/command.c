/* SPDX-License-Identifier: MIT
 * command: words of a drill file, and what every drill gives to the programs.
 */
#include "command.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/program.h"
#include "echo/lab/child.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/script/program.h"
#include "run.h"

static const char load_file[] = "/run/load.json"; /* of the private machine */

struct writer {
	struct command *c;
	size_t len;
	unsigned argc;
};

/* Adds a word. */
static void put(struct writer *w, const char *word)
{
	size_t n = strlen(word) + 1;

	w->c->full |= w->argc + 1 >= PROC_ARGS_MAX || w->len + n > sizeof(w->c->words);
	if (w->c->full)
		return;
	memcpy(w->c->words + w->len, word, n);
	w->c->argv[w->argc++] = w->c->words + w->len;
	w->c->argv[w->argc] = NULL;
	w->len += n;
}

/* Words are separated by blanks; 'single quotes' keep blanks together. */
static void put_words(struct writer *w, const char *text)
{
	char word[OPT_TEXT_MAX];

	for (;;) {
		bool quoted;
		size_t n;

		text += strspn(text, " ");
		if (*text == '\0')
			return;
		quoted = *text == '\'';
		n = strcspn(text + quoted, quoted ? "'" : " ");
		snprintf(word, sizeof(word), "%.*s", (int)n, text + quoted);
		put(w, word);
		text += n + quoted;
		text += quoted && *text == '\'';
	}
}

static bool has_option(const struct text_list *l, const char *option)
{
	for (unsigned i = 0; i < l->count; i++)
		if (strstr(l->at[i], option))
			return true;
	return false;
}

/* Our program lies beside this one. */
static void put_program(struct writer *w, const char *name)
{
	char path[PATH_MAX];

	put(w, program_beside(name, path, sizeof(path)));
}

static void put_options(struct writer *w, const struct text_list *l, const char *backend)
{
	for (unsigned i = 0; i < l->count; i++)
		put_words(w, l->at[i]);
	if (backend[0] && !has_option(l, "--backend")) {
		put(w, "--backend");
		put(w, backend);
	}
}

static void put_address(struct writer *w, const struct run *r, enum who who)
{
	char text[96];
	const char *at = hosts_address((int)r->drill->family, HOST_SERVER);

	snprintf(text, sizeof(text), r->drill->family == 6 ? "[%s]:%d" : "%s:%d", at,
		 HOSTS_PORT + (who == WHO_SERVER2));
	put(w, text);
}

static void put_foreign(struct writer *w, const struct run *r, const char *command)
{
	char text[OPT_TEXT_MAX * 3], line[OPT_TEXT_MAX * 3 + 8];

	hosts_expand((int)r->drill->family, command, text, sizeof(text));
	snprintf(line, sizeof(line), "%s%s", child_is_program(text) ? "exec " : "", text);
	put(w, "sh");
	put(w, "-c");
	put(w, line);
}

static const char *foreign_command(const struct run *r, enum who who)
{
	const struct program_client *c = r->options->client ? &r->options->client->client : NULL;

	if (who != WHO_CLIENT)
		return r->options->server->server.start;
	return r->transfers ? c->transfer : c->start;
}

static void command_show(struct command *c)
{
	size_t len = 0;

	for (unsigned i = 0; c->argv[i] && len < sizeof(c->shown); i++) {
		const char *slash = i == 0 ? strrchr(c->argv[i], '/') : NULL;
		const char *quote = strchr(c->argv[i], ' ') ? "'" : "";

		len += (size_t)snprintf(c->shown + len, sizeof(c->shown) - len, "%s%s%s%s",
					i ? " " : "", quote, slash ? slash + 1 : c->argv[i], quote);
	}
}

void command_make(struct command *c, const struct run *r, enum who who)
{
	const struct run_options *o = r->options;
	const struct drill *d = r->drill;
	struct writer w = { .c = c };

	memset(c, 0, sizeof(*c));
	if (run_is_foreign(r, who)) {
		put_foreign(&w, r, foreign_command(r, who));
	} else if (who == WHO_CLIENT) {
		put_program(&w, "echoload");
		put_options(&w, &d->client_options, d->client_lines ? "" : o->client_backend);
		if (o->detector)
			put_words(&w, o->detector->options);
		if (!d->client_lines) {
			put_words(&w, "--progress never -o quiet --json");
			put(&w, load_file);
		}
		put_address(&w, r, WHO_SERVER);
		if (d->servers > 1)
			put_address(&w, r, WHO_SERVER2);
	} else {
		put_program(&w, "echod");
		put(&w, "--listen");
		put_address(&w, r, who);
		put_options(&w, &d->server_options, o->server_backend);
	}
	command_show(c);
}

int command_take_load(char *text, size_t size)
{
	FILE *f = fopen(load_file, "re");
	size_t n = f ? fread(text, 1, size - 1, f) : 0;
	int e = f || errno == ENOENT ? 0 : -errno;

	text[n] = '\0';
	if (!f)
		return e;
	if (fgetc(f) != EOF)
		e = -EFBIG;
	else if (ferror(f))
		e = -errno;
	fclose(f);
	return e;
}
