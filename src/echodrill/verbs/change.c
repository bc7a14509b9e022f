/* SPDX-License-Identifier: MIT
 * change: two texts that a tool has printed, line by line.
 */
#include "change.h"

#include <stdio.h>
#include <string.h>

#include "doing.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/record.h"

char change_before[CHANGE_STATE_MAX], change_after[CHANGE_STATE_MAX];

/* One blank between words. */
static void squeeze(const char *text, char line[128])
{
	char word[OPT_TEXT_MAX];
	size_t len = 0;

	line[0] = '\0';
	while (len < 110 && word_next(&text, word, sizeof(word)) == 0)
		len += (size_t)snprintf(line + len, 128 - len, "%s%.60s", len ? " " : "", word);
}

/* The first line of @text that is not in @other, or NULL. */
static const char *new_line(const char *text, const char *other, char line[128])
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		char whole[512];

		snprintf(whole, sizeof(whole), "%.*s", (int)n, text);
		if (!strstr(other, whole)) {
			squeeze(whole, line);
			return line;
		}
		text += n + (text[n] == '\n');
	}
	return NULL;
}

void change_show(struct doing *d)
{
	char line[128];

	if (strcmp(change_before, change_after) == 0)
		doing_not_proven(d, "nothing has changed: %.80s", d->s->rest);
	else if (new_line(change_after, change_before, line))
		snprintf(d->o->shown, sizeof(d->o->shown), "now: %.110s", line);
	else if (new_line(change_before, change_after, line))
		snprintf(d->o->shown, sizeof(d->o->shown), "gone: %.110s", line);
}

void change_caught(struct doing *d, int64_t now)
{
	if (now > d->o->counted && d->o->counted >= 0)
		snprintf(d->o->shown, sizeof(d->o->shown), "caught %lld packets",
			 (long long)(now - d->o->counted));
	else
		doing_not_proven(d, "no packet went through it");
}
