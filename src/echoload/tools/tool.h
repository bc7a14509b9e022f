/* SPDX-License-Identifier: MIT
 * tool: how the commands begin that read results instead of making one: merge, plot, report.
 */
#ifndef ECHOLOAD_TOOL_H
#define ECHOLOAD_TOOL_H

#include "echo/base/opt.h"

/* Reads the command line into @config, which begins with struct program_options, by @rows of the
 * section @name of @s. Answers --help and its kin. Returns the number of operands, or -1: then it
 * is over, with *@code. */
int tool_begin(struct opt_set *s, const char *name, const struct opt *rows, void *config, int argc,
	       char **argv, int *code);

#endif
