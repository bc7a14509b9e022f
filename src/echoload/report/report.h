/* SPDX-License-Identifier: MIT
 * report: a result as text for people or as JSON for programs.
 */
#ifndef ECHOLOAD_REPORT_H
#define ECHOLOAD_REPORT_H

#include <stdbool.h>
#include <stdio.h>

struct hist;
struct interval;
struct outage;
struct result;

/* Writes the result to stdout in the format that the configuration asks for (files: outputs.h).
 * Returns 0 or -errno. */
int report(const struct result *r);

/* For people: at most 80 columns. */
void report_text(const struct result *r, FILE *to);

/* echoload/1. Returns 0 or -errno. */
int report_json(const struct result *r, FILE *to);

/* Lines of JSON while it runs (docs/results.md). Each returns 0 or -errno and flushes. */
int report_jsonl_start(const struct result *r, FILE *to);
int report_jsonl_interval(const struct interval *i, FILE *to);
int report_jsonl_fault(unsigned number, const struct outage *o, bool recovered, FILE *to);
int report_jsonl_end(const struct result *r, FILE *to);

/* A table of intervals. */
int report_csv_head(FILE *to);
int report_csv_row(const struct interval *i, FILE *to);

/* The kind of file that --hist names, by its suffix. */
bool report_is_hgrm(const char *name);
bool report_is_hlog(const char *name);

/* A histogram of nanoseconds as HdrHistogram's percentile text. */
int report_hgrm(const struct hist *h, FILE *to);

/* HdrHistogram's log of intervals. */
int report_hlog_head(const struct result *r, FILE *to);
int report_hlog_line(const struct interval *i, const struct hist *h, FILE *to);

#endif
