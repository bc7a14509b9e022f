/* SPDX-License-Identifier: MIT
 * textwrap: a column is a character of UTF-8; what is none has been escaped before it is counted.
 */
#include "echo/base/textwrap.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "echo/base/escape.h"

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t columns(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += !continues(*text);
	return n;
}

/* How many bytes of @text go on a line of @width: up to the last blank that fits. */
static size_t fit(const char *text, size_t width)
{
	size_t blank = 0, n = 0;

	for (size_t column = 0; text[n]; n++) {
		if (text[n] == ' ' && n > strspn(text, " "))
			blank = n;
		if (!continues(text[n]) && column++ == width)
			return blank ? blank : n;
	}
	return n;
}

void textwrap_put(FILE *to, const char *label, size_t at, size_t width, const char *text)
{
	char head[ESCAPE_LINE_MAX], all[ESCAPE_LINE_MAX];
	size_t used = columns(escape_text(label, head, sizeof(head)));

	if (width == 0)
		width = TEXTWRAP_COLUMNS - at;
	assert(width > 0 && at + width <= TEXTWRAP_COLUMNS);
	fputs(head, to);
	text = escape_text(text, all, sizeof(all));
	while (text[strspn(text, " ")]) {
		size_t n = fit(text, width), shown = n;

		while (text[shown - 1] == ' ')
			shown--;
		if (used > 0 && used >= at) {
			fputc('\n', to);
			used = 0;
		}
		fprintf(to, "%*s%.*s", (int)(at - used), "", (int)shown, text);
		used = TEXTWRAP_COLUMNS; /* what follows begins a line */
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', to);
}
