/* SPDX-License-Identifier: MIT
 * outputs: the files of a run. Some are written while it goes on: JSON Lines under their own name,
 * a line at a time, to be followed; CSV and interval logs of histograms beside theirs, until they
 * are whole. The others, percentiles and the result as JSON, come at its end. All are opened before
 * the run, so that a name that cannot be written costs no run.
 */
#ifndef ECHOLOAD_OUTPUTS_H
#define ECHOLOAD_OUTPUTS_H

#include <stdbool.h>
#include <stdint.h>

#include "echo/lab/outfile.h"
#include "report.h"

struct hist;
struct interval;
struct outage;
struct result;

struct outputs {
	struct outfile files[REPORT_FILE_COUNT];
	int error;                 /* the first, 0 or -errno */
	const char *what;          /* the file that it was in */
	const struct result *told; /* the start of this run was written; NULL: not yet */
};

/* Opens what the configuration of @r asks for. Returns 0, or -errno with s->what set. */
int outputs_open(struct outputs *s, const struct result *r);

/* The run begins now: @r has its configuration and context. */
void outputs_start(struct outputs *s, const struct result *r);
void outputs_interval(struct outputs *s, const struct interval *i, const struct hist *h);
/* Outage @number (from 1) has opened, or has recovered; its times are since the start. */
void outputs_outage(struct outputs *s, unsigned number, const struct outage *o, bool recovered);

/* The run has ended; writes the rest. Returns 0 or the first error of all, with s->what set; then
 * that is the verdict of @r, which the files that could still be written tell too. */
int outputs_end(struct outputs *s, struct result *r);
/* There will be no result: what is not whole vanishes. */
void outputs_drop(struct outputs *s);

#endif
