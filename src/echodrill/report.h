/* SPDX-License-Identifier: MIT
 * report: drills and their verdicts, as text for people, JSON for programs, and TAP.
 */
#ifndef ECHODRILL_REPORT_H
#define ECHODRILL_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct drill;
struct judgement;
struct run;

/* One drill that has been run. */
struct result {
	const struct drill *drill;
	const struct run *run;
	const struct judgement *judgement;
	int64_t took_ns;
};

/* `echodrill show`: what it does, as files and commands that a reader could use. */
void report_drill(const struct drill *d, FILE *to);

/* A line; with @whole also the story, the timeline and the findings. */
void report_run_text(const struct result *r, bool whole, FILE *to);

/* One line of JSON: echodrill/1. Returns 0 or -errno. */
int report_run_json(const struct result *r, FILE *to);

/* What is printed on standard output in the format @output (enum drill_output): the head, each
 * result as it comes, and the sums of each enum verdict. */
void report_begin(unsigned output, unsigned count);
void report_result(unsigned output, const struct result *r, bool whole, unsigned nth);
void report_end(unsigned output, const unsigned verdicts[4]);

#endif
