/* SPDX-License-Identifier: MIT
 * said: lines are compared without their numbers, so that times, counters and ports make none of
 * them new.
 */
#include "said.h"

#include <ctype.h>
#include <regex.h>

#include "echodrill/script/pattern.h"
#include "echodrill/script/program.h"
#include "run.h"

static bool is_digit(char c)
{
	return isdigit((unsigned char)c);
}

/* Whether these are the same but for numbers. */
static bool is_alike(const char *a, const char *b)
{
	while (*a && *b) {
		if (is_digit(*a) && is_digit(*b)) {
			while (is_digit(*a))
				a++;
			while (is_digit(*b))
				b++;
		} else if (*a++ != *b++) {
			return false;
		}
	}
	return *a == *b;
}

/* What is no line of the client's is ours about it: what was typed, how it ended, what it did. */
static bool is_line(const struct event *e)
{
	return e->who == WHO_CLIENT && e->text[0] != '>' && e->text[0] != '(' && e->text[0] != '\0';
}

static bool is_chatter(const struct run *r, const char *text)
{
	const char *pattern = r->options->client->client.chatter;
	regex_t re;
	bool yes;

	if (!pattern[0] || pattern_open(&re, pattern) < 0)
		return false;
	yes = pattern_finds(&re, text);
	regfree(&re);
	return yes;
}

/* Whether it has said so when all was well. */
static bool is_usual(const struct run *r, const struct event *line, int64_t base_ns)
{
	const struct timeline *t = &r->record->timeline;

	for (unsigned i = 0; i < t->count; i++)
		if (t->at[i].t_ns < base_ns && is_line(&t->at[i]) &&
		    is_alike(t->at[i].text, line->text))
			return true;
	return false;
}

bool said_means(const struct run *r, unsigned nth, int64_t base_ns)
{
	const struct event *e = &r->record->timeline.at[nth];

	return is_line(e) && !is_chatter(r, e->text) &&
	       (r->drill->answered || !is_usual(r, e, base_ns));
}
