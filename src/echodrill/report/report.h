/* SPDX-License-Identifier: MIT
 * report: drills and their verdicts, as text for people, JSON for programs, and TAP.
 */
#ifndef ECHODRILL_REPORT_H
#define ECHODRILL_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "echo/base/units.h"
#include "echodrill/script/drill.h"
#include "echodrill/verdict/judge.h"

struct judgement;
struct detector;
struct program;
struct run;

/* One drill that has been run. */
struct result {
	const char *name;           /* of the drill, and of the detector: "silent-idle/keepalive" */
	const char *not_applicable; /* why this client cannot be drilled so; NULL: it can */
	const char *file;           /* what its files are called, but for their endings */
	const struct drill *drill;
	const struct run *run;
	const struct judgement *judgement;
	int64_t took_ns;
};

/* What is kept of it until all are done. */
struct summary {
	char name[DRILL_NAME_MAX * 2 + 16];
	char file[DRILL_NAME_MAX * 3 + 96]; /* each run has its own */
	const struct drill *drill;
	const struct detector *detector; /* NULL: no drill of the matrix */
	const struct program *client;    /* another's; NULL: ours */
	bool done;
	bool sound; /* nothing that it needs went wrong; else nobody can say that it never knew */
	enum verdict verdict;
	int64_t knew_ns; /* as of struct judgement */
	char knew[64];
	char reason[160];    /* of its verdict */
	bool not_applicable; /* this client cannot be drilled so */
	int ended; /* exit code of the client while the drill lasted; -1: it had not ended so */
};

/* `echodrill show`: what it does, as files and commands that a reader could use. */
void report_drill(const struct drill *d, FILE *to);

/* `echodrill programs`: what it is, and what of it is missing here. */
void report_program(const struct program *p, FILE *to);

/* One line of JSON: echodrill/1. Returns 0 or -errno. */
int report_run_json(const struct result *r, FILE *to);

/* "1.45 s", "never"; "-": not known, it was broken off or lacked something. Returns @text. */
char *report_knew_text(const struct summary *s, char text[UNITS_MAX]);

/* What it means that @f was not met, in the words of the drill's file; "": it does not say. Returns
 * @text. */
enum { REPORT_MISSED_MAX = DRILL_MISSED_MAX * (OPT_TEXT_MAX + 1) };
char *report_missed(const struct result *r, const struct finding *f, char text[REPORT_MISSED_MAX]);

/* Where the drill went wrong: the first step that was not as it must be, from 1; 0: none, what was
 * expected of the whole was not met. */
unsigned report_step(const struct result *r);

/* All that was done and seen, for people. */
void report_whole(const struct result *r, FILE *to);

/* The lessons and their drills. */
void report_lesson_list(FILE *to);

/* Drills x detectors: when the client knew. As text of 80 columns, or as a table of markdown.
 * Nothing when no drill was run with detectors. */
void report_matrix_text(const struct summary *at, unsigned count, FILE *to);
void report_matrix_markdown(const struct summary *at, unsigned count, FILE *to);

/* Text in a cell of a table of markdown: a bar, which would end it, is escaped, and what is for
 * terminals. */
void report_cell(const char *text, FILE *to);

/* The cause in the words of a reader: "`ECONNRESET`". Static text, or @cause itself. */
const char *report_cause_words(const char *cause);

/* A format of standard output; what it has nothing to say about is NULL. */
struct reporter {
	const char *name, *help;
	void (*begin)(unsigned count); /* @count drills follow; 0: that is not known yet */
	/* One drill, the @nth from 1; @whole: with all that happened. */
	void (*result)(const struct result *r, bool whole, unsigned nth);
	void (*end)(const struct summary *at, unsigned count);
};

/* All formats: for each the option --output takes its name, and report_NAME.c defines
 * reporter_NAME. The first one is the default. */
#define REPORT_FORMATS(X)    X(text) X(json) X(tap) X(markdown) X(lesson) X(page)
#define REPORT_EXTERN(name_) extern const struct reporter reporter_##name_;
#define REPORT_INDEX(name_)  REPORT_##name_,
REPORT_FORMATS(REPORT_EXTERN)
enum report_format { REPORT_FORMATS(REPORT_INDEX) };

/* What is printed on standard output: the head, each result as it comes, and what can be said when
 * all are done. @format is an index of REPORT_FORMATS. */
void report_begin(unsigned format, unsigned count);
void report_result(unsigned format, const struct result *r, bool whole, unsigned nth);
void report_end(unsigned format, const struct summary *at, unsigned count);

#endif
