/* SPDX-License-Identifier: MIT
 * escape: text from files, the network and other programs as a terminal may see it.
 *
 * Printable characters stay, UTF-8 too. Control characters (C0, DEL, C1), those that turn the
 * direction of a line or end it, and bytes that are no UTF-8 come out as \x1b, byte by byte. So no
 * text can move the cursor, begin a line of its own, or hide what stands beside it.
 */
#ifndef ECHO_ESCAPE_H
#define ECHO_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum {
	ESCAPE_MAX = 5,         /* "\x1b" and its end; a character of UTF-8 is no longer */
	ESCAPE_LINE_MAX = 4096, /* what escape_line takes; the rest is left out */
};

/* Writes what stands for the first character of the @len > 0 bytes at @text. Returns how many of
 * them it was. */
size_t escape_next(const char *text, size_t len, char out[ESCAPE_MAX]);

/* Writes as much of @text as @size has room for, whole characters only. Returns @to. */
char *escape_text(const char *text, char *to, size_t size);

/* Whether escape_text would change it. */
bool escape_needed(const char *text);

/* Writes @text as HTML and XML show it: besides what is escaped for terminals, what would be markup
 * or end an attribute is a reference. */
void escape_markup(FILE *to, const char *text);

/* Prints a line, and only one: what its arguments bring along is escaped, newlines too. */
void escape_line(FILE *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
