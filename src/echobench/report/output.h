/* SPDX-License-Identifier: MIT
 * output: results for people, programs and gnuplot.
 */
#ifndef ECHOBENCH_OUTPUT_H
#define ECHOBENCH_OUTPUT_H

#include <stdio.h>

#include "echobench/verdict/cell.h"

struct bench;
struct bench_config;

/* "B/A 1.034 (1.021 to 1.048) by rate: b" or why there is nothing. */
char *table_sentence(const struct cell *c, double alpha, char text[WHY_MAX]);

void table_print(const struct bench *r, FILE *to);

/* echobench/1. Returns 0 or -errno. */
int bench_json_print(const struct bench *r, FILE *to);

/* Writes the --json file, if one was asked for: whole under its name or not at all, and where that
 * cannot be (a device, a pipe) only at the end. Returns 0 or -errno. */
int bench_json_keep(const struct bench *r);

/* Writes @prefix-ratio and @prefix-load as .svg and .png. Returns 0 or -errno with @why. */
int plot_write(const struct bench *r, const char *prefix, char why[WHY_MAX]);

/* What belongs into the configuration, as a file that echod reads. */
void table_recommendation(const struct bench *r, FILE *to);

/* Reads a kept result. Returns 0 or -errno with @why. */
int baseline_load(struct bench *r, const char *path, char why[WHY_MAX]);

/* Compares with it what has been measured so far. */
void baseline_compare(struct bench *r);

/* "rate B/A was 1.050 (1.031-1.069), is 0.912: worse" */
char *baseline_sentence(const struct bench *r, unsigned i, char text[WHY_MAX]);

/* Known servers: all, or one by its name. Returns an exit code; what is wrong was said. */
int servers_list(const struct bench_config *c, FILE *to);
int servers_show(const struct bench_config *c, const char *name, FILE *to);

#endif
