/* SPDX-License-Identifier: MIT
 * suite_progress: how far a run of drills is, on standard error: done, running, failed, and about
 * how long it will still take.
 */
#ifndef ECHODRILL_SUITE_PROGRESS_H
#define ECHODRILL_SUITE_PROGRESS_H

#include <stdint.h>

#include "echo/base/progress_line.h"

struct drill;

enum { SUITE_PROGRESS_MS = 250 };

struct suite_progress {
	struct progress_line line;
	unsigned jobs;    /* at a time */
	int64_t until_ns; /* none is begun after that; 0: all are run */
	unsigned count, done, running, failed;
	int64_t planned_ns,
		planned_done_ns;   /* what the files say: of all, of those that are done */
	int64_t took_ns;           /* those that are done */
	int64_t left_ns, since_ns; /* an estimate, and when it was made */
};

/* @until_ns: none is begun after that; 0: all are run. */
void suite_progress_begin(struct suite_progress *p, unsigned mode, unsigned jobs, int64_t until_ns);
/* A drill will be run. */
void suite_progress_add(struct suite_progress *p, const struct drill *d);
/* One has begun. */
void suite_progress_started(struct suite_progress *p, int64_t now_ns);
/* One is done, after @took_ns. */
void suite_progress_ended(struct suite_progress *p, const struct drill *d, int64_t took_ns,
			  bool failed, int64_t now_ns);
void suite_progress_show(struct suite_progress *p, int64_t now_ns);
/* Before anything else is printed, and at the end. */
void suite_progress_clear(struct suite_progress *p);

/* What is shown. Returns @text. */
char *suite_progress_text(const struct suite_progress *p, int64_t now_ns, char text[128]);

#endif
