/* SPDX-License-Identifier: MIT
 * arguments: each takes its words from the text and leaves it behind them.
 */
#include "arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drill.h"
#include "echo/base/base.h"
#include "echodrill/rig/diag.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/stage/timeline.h"
#include "pattern.h"
#include "words.h"

int argument_host(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int host;

	if (word_next(text, s->who, sizeof(s->who)) == 0) {
		host = hosts_number(s->who);
		s->host = (unsigned)host;
		if (host >= 0)
			return 0;
	}
	return word_refuse(why, "needs a host: client, wire, router or server");
}

int argument_program(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	if (word_next(text, s->who, sizeof(s->who)) == 0)
		for (s->proc = 0; s->proc <= WHO_SERVER2; s->proc++)
			if (strcmp(timeline_who(s->proc), s->who) == 0)
				return 0;
	return word_refuse(why, "needs a program: client, server or server2");
}

/* A program, or a process that is no program of its own. */
int argument_process(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	static const char *const names[] = { "child", "children", "listener", "parent" };

	if (argument_program(s, text, why) == 0)
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		s->proc = STEP_CHILD + i;
		if (strcmp(s->who, names[i]) == 0)
			return 0;
	}
	return word_refuse(why, "needs a process: client, server, server2, child, children, parent "
				"or listener");
}

int argument_rest(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	*text += strspn(*text, " ");
	if (**text == '\0')
		return word_refuse(why, "says nothing behind the verb");
	snprintf(s->rest, sizeof(s->rest), "%s", *text);
	*text += strlen(*text);
	return 0;
}

/* "/regex/" */
int argument_regex(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	const char *from = *text + strspn(*text, " "), *to;

	to = *from == '/' ? strchr(from + 1, '/') : NULL;
	if (!to || to == from + 1)
		return word_refuse(why, "needs a /regular expression/");
	snprintf(s->rest, sizeof(s->rest), "%.*s", (int)(to - from - 1), from + 1);
	if (pattern_check(s->rest) < 0)
		return word_refuse(why, "has a regular expression that is none");
	*text = to + 1;
	return 0;
}

int argument_number(uint64_t *n, const char **text, char why[OPT_ERROR_MAX])
{
	char word[DRILL_WORD_MAX], *end;

	if (word_next(text, word, sizeof(word)) < 0)
		return word_refuse(why, "needs a number");
	errno = 0;
	*n = strtoull(word, &end, 10);
	return *end || errno || word[0] == '-' ? word_refuse(why, "needs a number") : 0;
}

int argument_state(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	char word[DRILL_WORD_MAX] = "";
	int r = argument_host(s, text, why);

	if (r < 0)
		return r;
	word_next(text, word, sizeof(word));
	s->number = (int)diag_state(word);
	if (s->number == 0)
		return word_refuse(why, "needs a state such as ESTAB, CLOSE-WAIT or FIN-WAIT-2");
	return argument_number(&s->count, text, why);
}

int argument_host_rest(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int r = argument_host(s, text, why);

	return r < 0 ? r : argument_rest(s, text, why);
}

int argument_nothing(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	(void)s;
	(void)text;
	(void)why;
	return 0;
}

int argument_label(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	return word_next(text, s->label, sizeof(s->label)) < 0 ? word_refuse(why, "needs a label")
							       : 0;
}
