/* SPDX-License-Identifier: MIT
 * doing: a step that is being carried out, and what verbs say about it.
 */
#ifndef ECHODRILL_DOING_H
#define ECHODRILL_DOING_H

#include <stdbool.h>

#include "echo/base/opt.h"

struct outcome;
struct run;
struct step;

struct doing {
	struct run *r;
	const struct step *s;
	struct outcome *o;
	char text[OPT_TEXT_MAX * 2]; /* s->rest with addresses */
};

/* The fault was not shown to be active: this is why. */
void doing_not_proven(struct doing *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Whether the run leaves its faults out, and this is one. */
bool doing_left_out(const struct doing *d);

/* The step could not be done. Returns -EINVAL, which ends the drill. */
int doing_failed(struct doing *d, const char *why);

/* Writes the file that the step names, in /run of the private machine: " | " ends a line of @text.
 * Returns 0 or an error of doing_failed. */
int doing_write(struct doing *d, const char *text);

/* A tool returned @r < 0: it said no or, which is no fault of the drill, is missing. Returns
 * -EINVAL. */
int doing_tool_failed(struct doing *d, int r);

#endif
