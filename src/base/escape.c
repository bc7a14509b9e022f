/* SPDX-License-Identifier: MIT
 * escape: decodes one character of UTF-8 at a time; what is none, or is a command, is shown as its
 * bytes.
 */
#include "echo/base/escape.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

/* Controls of terminals, separators of lines and paragraphs, what overrides or isolates the
 * direction of writing, and the two that no XML may have (XML 1.0, 2.2: Char). */
static bool is_command(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2066 && code <= 0x2069) || code == 0xfffe || code == 0xffff;
}

/* How many bytes the character at @s has; 0: its first byte is not to be shown. */
static size_t shown_len(const unsigned char *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t code = n == 1 ? s[0] : s[0] & (0x7fu >> n);

	if (n > len || (n > 1 && s[0] < 0xc0) || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	return is_command(code) ? 0 : n;
}

size_t escape_next(const char *text, size_t len, char out[ESCAPE_MAX])
{
	size_t n;

	assert(len > 0);
	n = shown_len((const unsigned char *)text, len);
	if (n == 0) {
		snprintf(out, ESCAPE_MAX, "\\x%02x", (unsigned)(unsigned char)text[0]);
		return 1;
	}
	memcpy(out, text, n);
	out[n] = '\0';
	return n;
}

char *escape_text(const char *text, char *to, size_t size)
{
	size_t left = strlen(text), used = 0;

	assert(size > 0);
	while (left > 0) {
		char out[ESCAPE_MAX];
		const size_t n = escape_next(text, left, out), room = strlen(out);

		if (used + room >= size)
			break;
		memcpy(to + used, out, room);
		used += room;
		text += n;
		left -= n;
	}
	to[used] = '\0';
	return to;
}

bool escape_needed(const char *text)
{
	for (size_t left = strlen(text), n; left > 0; left -= n, text += n) {
		n = shown_len((const unsigned char *)text, left);
		if (n == 0)
			return true;
	}
	return false;
}

void escape_markup(FILE *to, const char *text)
{
	for (size_t len = strlen(text), n; len > 0; text += n, len -= n) {
		char out[ESCAPE_MAX];

		n = escape_next(text, len, out);
		if (strchr("&<>\"'", out[0]))
			fprintf(to, "&#%d;", out[0]);
		else
			fputs(out, to);
	}
}

void escape_line(FILE *to, const char *fmt, ...)
{
	char text[ESCAPE_LINE_MAX], out[ESCAPE_MAX];
	va_list args;
	size_t len;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	len = strlen(text);
	for (size_t at = 0; at < len; fputs(out, to))
		at += escape_next(text + at, len - at, out);
	fputc('\n', to);
}
