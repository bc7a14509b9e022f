/* SPDX-License-Identifier: MIT
 * progress: how far it is, on standard error: a line for each cell, and a progress line on a
 * terminal.
 */
#ifndef ECHOBENCH_PROGRESS_H
#define ECHOBENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "echo/base/progress_line.h"

struct cell;
struct bench;

struct progress {
	const struct bench *run;
	bool lines;
	struct progress_line line;
};

/* How long what is left will take, at least and at most. */
struct progress_left {
	int64_t least_ns, most_ns;
};

void progress_begin(struct progress *p, struct progress_left left);
void progress_block(struct progress *p, const struct cell *c);
void progress_cell(struct progress *p, const struct cell *c, struct progress_left left);
void progress_end(struct progress *p);

#endif
