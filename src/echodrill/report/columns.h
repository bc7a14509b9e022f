/* SPDX-License-Identifier: MIT
 * columns: text that keeps to its place on a line of 80.
 */
#ifndef ECHODRILL_COLUMNS_H
#define ECHODRILL_COLUMNS_H

#include <stdio.h>

enum { COLUMNS = 80 };

/* Writes @text from column @at on, at most @width wide (0: to the end of the line), wrapped between
 * words; a word that is too long is cut. @head stands before its first line, in the columns up to
 * @at. Ends with a newline, also when @text is empty. */
void columns_put(FILE *to, const char *head, unsigned at, unsigned width, const char *text);

#endif
