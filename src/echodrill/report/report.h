/* SPDX-License-Identifier: MIT
 * report: drills and their verdicts, as text for people, JSON for programs, and TAP.
 */
#ifndef ECHODRILL_REPORT_H
#define ECHODRILL_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "echodrill/script/drill.h"
#include "echodrill/verdict/judge.h"

struct judgement;
struct means_kind;
struct run;

/* One drill that has been run. */
struct result {
	const char *name; /* of the drill, and of the means: "silent-idle/keepalive" */
	const struct drill *drill;
	const struct run *run;
	const struct judgement *judgement;
	int64_t took_ns;
};

/* What is kept of it until all are done. */
struct summary {
	char name[DRILL_NAME_MAX + 16];
	const struct drill *drill;
	const struct means_kind *means; /* NULL: no drill of the matrix */
	bool done;
	enum verdict verdict;
	int64_t knew_ns; /* as of struct judgement */
	char knew[64];
};

/* `echodrill show`: what it does, as files and commands that a reader could use. */
void report_drill(const struct drill *d, FILE *to);

/* A line; with @whole also the story, the timeline and the findings. */
void report_run_text(const struct result *r, bool whole, FILE *to);

/* One line of JSON: echodrill/1. Returns 0 or -errno. */
int report_run_json(const struct result *r, FILE *to);

/* Drills x means: when the client knew. As text of 80 columns, or as a table of markdown. Nothing
 * when no drill was run with means. */
void report_matrix_text(const struct summary *at, unsigned count, FILE *to);
void report_matrix_markdown(const struct summary *at, unsigned count, FILE *to);

/* Text in a cell of a table of markdown: a bar, which would end it, is escaped, and what is for
 * terminals. */
void report_cell(const char *text, FILE *to);

/* The cause in words of a reader: "`ECONNRESET`". */
const char *report_cause(const char *cause);

/* The page of all faults. */
void report_markdown(const struct summary *at, unsigned count, FILE *to);

/* What is printed on standard output in the format @output (enum drill_output): the head, each
 * result as it comes, and what can be said when all are done. */
void report_begin(unsigned output, unsigned count);
void report_result(unsigned output, const struct result *r, bool whole, unsigned nth);
void report_end(unsigned output, const struct summary *at, unsigned count);

#endif
