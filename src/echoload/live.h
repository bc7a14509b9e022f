/* SPDX-License-Identifier: MIT
 * live: one line on a terminal that says how the run gets on, four times a second.
 */
#ifndef ECHOLOAD_LIVE_H
#define ECHOLOAD_LIVE_H

#include <stdbool.h>
#include <stdint.h>

struct run;

struct live {
	const struct run *run;
	bool on;
	bool shown; /* there is something to be overwritten */
	int64_t shown_ns;
	uint64_t echoed; /* when it was shown */
};

void live_begin(struct live *l, const struct run *run);
/* How long main may sleep: for ever when nothing is shown. */
int live_wait_ms(const struct live *l);
void live_show(struct live *l);
/* Wipes the line. */
void live_end(struct live *l);

#endif
