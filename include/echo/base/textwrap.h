/* SPDX-License-Identifier: MIT
 * textwrap: text for people, in columns.
 */
#ifndef ECHO_TEXTWRAP_H
#define ECHO_TEXTWRAP_H

#include <stddef.h>
#include <stdio.h>

enum { TEXTWRAP_COLUMNS = 80 };

/* Writes @text from column @at on, at most @width wide (0: to column 80), in lines broken at
 * blanks; a word that is too long for a line is cut. @label stands before the first line; one that
 * does not leave a blank before @at has a line of its own. Both are escaped. Ends with a newline,
 * also when
 * @text is empty. Takes ESCAPE_LINE_MAX bytes of each. */
void textwrap_put(FILE *to, const char *label, size_t at, size_t width, const char *text);

#endif
