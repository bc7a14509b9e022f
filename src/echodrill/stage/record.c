/* SPDX-License-Identifier: MIT
 * record: looked up by label.
 */
#include "record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct mark *record_mark(const struct record *r, const char *label)
{
	for (unsigned i = 0; i < r->marks; i++)
		if (strcmp(r->mark[i].label, label) == 0)
			return &r->mark[i];
	return NULL;
}

const struct look *record_look(const struct record *r, const char *label)
{
	for (unsigned i = 0; i < r->looks; i++)
		if (strcmp(r->look[i].label, label) == 0)
			return &r->look[i];
	return NULL;
}

void record_command(struct record *r, const char *fmt, ...)
{
	va_list args;

	if (r->commands == RECORD_COMMANDS_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(r->command[r->commands++], sizeof(r->command[0]), fmt, args);
	va_end(args);
}
