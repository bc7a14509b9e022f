/* SPDX-License-Identifier: MIT
 * gnuplot: what draws the pictures.
 */
#ifndef ECHO_GNUPLOT_H
#define ECHO_GNUPLOT_H

#include <stdio.h>

/* Runs gnuplot with @script as its input, from the beginning, and @picture as its output (NULL: the
 * script says where to draw, and what it prints goes to standard error). Returns NULL, or what went
 * wrong. */
const char *gnuplot_run(FILE *script, FILE *picture);

#endif
