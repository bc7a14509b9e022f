/* SPDX-License-Identifier: MIT
 * plot_private: what a picture shows, as it was read, and the script that draws it.
 */
#ifndef ECHOLOAD_PLOT_PRIVATE_H
#define ECHOLOAD_PLOT_PRIVATE_H

#include <stdbool.h>
#include <stdio.h>

#include "echoload/result/result.h"
#include "run_file.h"

struct hist;

enum { PLOT_TITLE_MAX = 256, PLOT_ERROR_MAX = RUN_FILE_ERROR_MAX };

/* A run as far as it is drawn. */
struct plot_data {
	struct interval *rows;
	size_t count, room;
	struct outage outages[OUTAGES_MAX];
	unsigned outage_count;
	int64_t warmup_ns;          /* until then nothing was measured; 0: no warm-up */
	int64_t end_ns;             /* the last that is known of */
	struct hist *all, *outside; /* latency, and without outages; NULL: not known (no end) */
	char title[PLOT_TITLE_MAX];
	char error[PLOT_ERROR_MAX];
	char damage[PLOT_ERROR_MAX]; /* what of the file could not be read; "": none */
};

/* Reads JSON Lines, those of a run that goes on too, or a result. Returns 0, or -errno with
 * p->error set. */
int plot_read(struct plot_data *p, const char *name);
void plot_free(struct plot_data *p);

/* Writes a script for gnuplot that draws to standard output, an SVG or else a PNG. */
void plot_script(const struct plot_data *p, bool svg, FILE *to);

#endif
