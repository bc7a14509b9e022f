/* SPDX-License-Identifier: MIT
 * report: a result as text for people or as JSON for programs.
 */
#ifndef ECHOLOAD_REPORT_H
#define ECHOLOAD_REPORT_H

#include <stdio.h>

struct result;

/* Writes the result to stdout in the format that the configuration asks for, and to the files that
 * it names (--json). Returns 0, or -errno after logging nothing: *what is what could not be
 * written ("result.json"). */
int report(const struct result *r, const char **what);

/* For people: at most 80 columns. */
void report_text(const struct result *r, FILE *to);

/* echoload/1. Returns 0 or -errno. */
int report_json(const struct result *r, FILE *to);

#endif
