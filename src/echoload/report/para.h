/* SPDX-License-Identifier: MIT
 * para: paragraphs of a text for people, put together piece by piece and printed behind
 * a label, in 80 columns.
 */
#ifndef ECHOLOAD_PARA_H
#define ECHOLOAD_PARA_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	PARA_LABEL = 13,      /* width of the column of labels */
	PARA_TEXT_MAX = 1024, /* what does not fit is left out */
};

/* Zeroed: empty. */
struct para {
	char s[PARA_TEXT_MAX];
	size_t len;
};

void para_add(struct para *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "<before>1,234<after>" */
void para_count(struct para *p, const char *before, uint64_t n, const char *after);
/* The same for a rate, which may be a fraction ("0.25"), or more than can be counted ("4e+20"). */
void para_rate(struct para *p, const char *before, double rate, const char *after);
/* "<before>1.03 s<after>" */
void para_time(struct para *p, const char *before, int64_t ns, const char *after);

/* In the columns to 80, escaped. */
void para_print(const struct para *p, const char *label, FILE *to);

#endif
