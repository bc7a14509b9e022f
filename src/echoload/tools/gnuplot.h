/* SPDX-License-Identifier: MIT
 * gnuplot: what draws the pictures of the tools.
 */
#ifndef ECHOLOAD_GNUPLOT_H
#define ECHOLOAD_GNUPLOT_H

#include <stdio.h>

/* Runs gnuplot with @script as its input, from the beginning, and @picture as its output. Returns
 * 0, or -errno with what went wrong said. */
int gnuplot_run(FILE *script, FILE *picture);

#endif
