/* SPDX-License-Identifier: MIT
 * command: the command lines of a drill's programs.
 */
#ifndef ECHODRILL_COMMAND_H
#define ECHODRILL_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "echodrill/script/drill.h"
#include "proc.h"
#include "timeline.h"

struct run;

struct command {
	const char *argv[PROC_ARGS_MAX];
	char shown[OPT_TEXT_MAX * 2]; /* as one would type it */
	char words[OPT_TEXT_MAX * 6]; /* what argv points to */
	bool full;                    /* it had more words than that */
};

/* The command of our program beside this one, or of the shell that runs a foreign one. */
void command_make(struct command *c, const struct run *r, enum who who);

/* Reads what the client has written as JSON; "" if it has not. Returns 0 or -errno; -EFBIG: it was
 * not all. */
int command_take_load(char *text, size_t size);

#endif
