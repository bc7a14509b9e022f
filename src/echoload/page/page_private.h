/* SPDX-License-Identifier: MIT
 * page_private: the way of a page: files are read (run_file), a model is made of them, and the
 * model is written into the template.
 *
 * The model is JSON and stands in the page as it is: for each run its result, in which intervals
 * and histograms are replaced by what charts need. page.js draws it. All functions here that make
 * JSON return the caller's object, or NULL: no memory.
 */
#ifndef ECHOLOAD_PAGE_PRIVATE_H
#define ECHOLOAD_PAGE_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* An interval that can be drawn: it has a length, and begins no earlier than the one before it
 * ended. */
bool page_interval_times(const json_t *interval, int64_t after_ns, int64_t *begin_ns,
			 int64_t *end_ns);

/* page_columns.c: the intervals by column, so that a name stands there once and not for each of
 * them. A column is an array of integers, or {"runs": [value, count, value, count, ...]} where that
 * is shorter. "begin_ns" is what lies between an interval and the end of the one before. */
json_t *page_columns(const json_t *intervals);

/* page_curve.c: the latencies of the histogram at the distances 1, 1.1, 1.1^2 ... to 100%, in units
 * of one message of all, and at last its maximum, which its own text knows to three digits only:
 * @max_ns is exact. null: there is no such histogram, or it is empty. */
json_t *page_curve(const char *hdr, int64_t max_ns);

/* page_heat.c: a picture of the latencies over time by gnuplot, "times" columns of "rows" buckets:
 * {"png": base64, "times", "rows", "begin_ns", "end_ns", "from_ns", "to_ns"}. null: the intervals
 * have no buckets. Returns 0, or -errno with what went wrong said; -EINVAL never. */
int page_heat(const json_t *intervals, json_t **heat);

/* page_verdict.c: the result of a run in one sentence, into @text; and how it is to be taken:
 * "good", "bad" or "unsure". */
const char *page_verdict(const json_t *run, char *text, size_t size);

/* page_model.c: the model of one run, which the page calls @label. 0 or -errno, said. */
int page_model(json_t *run, const char *label, json_t **model);

/* What is written into the template. */
struct page {
	const char *title;
	const char *verdict, *grade; /* of the run that went worst */
	const json_t *model;
	const char *library, *library_css; /* dygraphs */
};

/* page_html.c: writes the page. Returns 0 or -errno. */
int page_html(const struct page *p, FILE *to);

#endif
