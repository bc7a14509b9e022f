/* SPDX-License-Identifier: MIT
 * progress: one line on a terminal that says how the run gets on, four times a second.
 */
#ifndef ECHOLOAD_PROGRESS_H
#define ECHOLOAD_PROGRESS_H

#include <stdint.h>

#include "echo/base/progress_line.h"

struct run;

struct progress {
	const struct run *run;
	struct progress_line line;
	int64_t shown_ns;
	uint64_t echoed; /* when it was shown */
};

void progress_begin(struct progress *l, const struct run *run);
/* How long main may sleep: for ever when nothing is shown. */
int progress_wait_ms(const struct progress *l);
void progress_show(struct progress *l);
/* Wipes the line. */
void progress_end(struct progress *l);

#endif
