/* SPDX-License-Identifier: MIT
 * text_list: the lines of a key that repeats, as they were written.
 */
#ifndef ECHODRILL_TEXT_LIST_H
#define ECHODRILL_TEXT_LIST_H

#include "echo/base/opt.h"

#define TEXT_LIST_MAX 16

struct text_list {
	unsigned count;
	char at[TEXT_LIST_MAX][OPT_TEXT_MAX];
};

/* One more line, in the struct text_list at @field. Returns 0, or -ERANGE with the reason in @why.
 * A type of its own that first looks at what a line says calls it too. */
int text_list_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX]);

/* Writes the line @nth to @text. Returns false behind the last one. */
bool text_list_print(const struct opt *o, const void *field, unsigned nth, char text[OPT_TEXT_MAX]);

/* Any line. */
extern const struct opt_type text_list_type;

#endif
