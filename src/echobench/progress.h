/* SPDX-License-Identifier: MIT
 * progress: how far it is, on standard error: a line for each cell, and a live one on a terminal.
 */
#ifndef ECHOBENCH_PROGRESS_H
#define ECHOBENCH_PROGRESS_H

#include <stdbool.h>

struct cell;
struct bench;

struct progress {
	const struct bench *run;
	bool lines, live, shown;
};

void progress_begin(struct progress *p);
void progress_block(struct progress *p, const struct cell *c);
void progress_cell(struct progress *p, const struct cell *c);
void progress_end(struct progress *p);

#endif
