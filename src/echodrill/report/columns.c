/* SPDX-License-Identifier: MIT
 * columns: wraps at blanks. Lines of our programs are ASCII; those of others may hold anything,
 * which escape_line makes harmless.
 */
#include "columns.h"

#include <assert.h>
#include <string.h>

#include "echo/base/escape.h"

/* How many bytes of @text go on one line: up to the last blank that fits. */
static size_t columns_fit(const char *text, size_t width)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == ' ')
		len--;
	if (len <= width)
		return len;
	for (size_t n = width; n > width / 3; n--)
		if (text[n] == ' ')
			return n;
	return width;
}

void columns_put(FILE *to, const char *head, unsigned at, unsigned width, const char *text)
{
	if (width == 0)
		width = COLUMNS - at;
	assert(at + width <= COLUMNS);
	do {
		size_t n = columns_fit(text, width);

		escape_line(to, "%-*.*s%.*s", n ? (int)at : 0, (int)at, head, (int)n, text);
		head = "";
		text += n;
		text += strspn(text, " ");
	} while (*text);
}
