/* SPDX-License-Identifier: MIT
 * para: see para.h.
 */
#include "para.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/base/units.h"

enum { WIDTH = 80 };

void para_add(struct para *p, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(p->s + p->len, sizeof(p->s) - p->len, fmt, args);
	va_end(args);
	assert(n >= 0);
	p->len = size_min(p->len + (size_t)n, sizeof(p->s) - 1);
}

void para_count(struct para *p, const char *before, uint64_t n, const char *after)
{
	char number[UNITS_MAX];

	para_add(p, "%s%s%s", before, units_count(n, number), after);
}

void para_time(struct para *p, const char *before, int64_t ns, const char *after)
{
	char time[UNITS_MAX];

	para_add(p, "%s%s%s", before, units_time(ns, 3, time), after);
}

void para_print(const struct para *p, const char *label, FILE *to)
{
	const size_t room = WIDTH - PARA_LABEL;
	char text[4 * PARA_TEXT_MAX]; /* \x1b for every byte */
	size_t used = 0;

	fprintf(to, "%-*s", PARA_LABEL, label);
	for (const char *word = escape_text(p->s, text, sizeof(text)); *word;) {
		size_t len = strcspn(word, " "), shown = size_min(len, room);

		while (shown < len && ((unsigned char)word[shown] & 0xc0) == 0x80)
			shown--; /* no part of a character */
		if (used > 0 && used + 1 + shown > room) {
			fprintf(to, "\n%*s", PARA_LABEL, "");
			used = 0;
		}
		fprintf(to, "%s%.*s", used > 0 ? " " : "", (int)shown, word);
		used += shown + (used > 0);
		word += len;
		word += strspn(word, " ");
	}
	fputc('\n', to);
}
