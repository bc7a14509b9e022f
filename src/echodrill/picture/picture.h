/* SPDX-License-Identifier: MIT
 * picture: a drill as a sequence diagram: programs, their kernels, and the wire between them; time
 * runs down. And an index of many of them.
 */
#ifndef ECHODRILL_PICTURE_H
#define ECHODRILL_PICTURE_H

#include <stdio.h>

struct result;
struct summary;

/* Writes an SVG of a drill whose captures are still open. Returns 0 or -errno. */
int picture_svg(const struct result *r, FILE *to);

/* Writes a page with all drills that are done, each with its picture beside the page (struct
 * summary's file, and .svg), and a chart of when clients knew. Returns 0 or -errno. */
int picture_index(const struct summary *at, unsigned count, FILE *to);

#endif
