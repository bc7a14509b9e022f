/* SPDX-License-Identifier: MIT
 * report_text_private: what the parts of the text for people share.
 */
#ifndef ECHOLOAD_REPORT_TEXT_PRIVATE_H
#define ECHOLOAD_REPORT_TEXT_PRIVATE_H

#include <stdint.h>
#include <stdio.h>

#include "echo/base/units.h"

struct result;

enum {
	REPORT_TEXT_ROWS = 20,                  /* of a table; JSON has all of them */
	REPORT_TEXT_SKEW_NS = 10 * 1000 * 1000, /* of clocks and starts: from here on it is said */
};

const char *report_text_plural(uint64_t n);

/* A count for a column of 9 characters: without commas when it would not fit. */
char *report_text_narrow(uint64_t n, char text[UNITS_MAX]);

/* "  and 3 more outages"; nothing for 0. */
void report_text_more(uint64_t n, const char *what, FILE *to);

/* One table of how connections ended, or one for each of several targets under a line of what it
 * got. */
void report_text_targets(const struct result *r, FILE *to);

#endif
