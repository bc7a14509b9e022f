/* SPDX-License-Identifier: MIT
 * report: a result as text for people or as JSON for programs.
 */
#ifndef ECHOLOAD_REPORT_H
#define ECHOLOAD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct hist;
struct interval;
struct outage;
struct result;

/* A format: report_NAME.c defines it as report_NAME, and a list below names it. What it has nothing
 * to say about is NULL; the others flush, and return 0 or -errno. */
struct report_format {
	const char *option; /* names its file; NULL: standard output only */
	size_t name;        /* offset of that name in struct load_config */
	const char *suffix; /* of the name, where an option has several formats; NULL: any */
	bool followed;      /* written under its name at once, to be read while it grows */
	int (*start)(const struct result *r, FILE *to);
	int (*interval)(const struct interval *i, const struct hist *h, FILE *to);
	/* Outage @number (from 1) has opened, or has recovered. */
	int (*outage)(unsigned number, const struct outage *o, bool recovered, FILE *to);
	int (*end)(const struct result *r, FILE *to);
};

/* Formats of files, in the order in which they are finished: what could not be written is in the
 * results that come after. */
#define REPORT_FILES(X) X(csv) X(hlog) X(hgrm) X(jsonl) X(json)
/* Formats of standard output: for each the option --output takes its name. */
#define REPORT_PRINTED(X)    X(text) X(json) X(quiet)

#define REPORT_EXTERN(name_) extern const struct report_format report_##name_;
REPORT_FILES(REPORT_EXTERN)
extern const struct report_format report_text;

#define REPORT_FILE(name_) REPORT_FILE_##name_,
enum { REPORT_FILES(REPORT_FILE) REPORT_FILE_COUNT };
#define REPORT_PRINT(name_) REPORT_PRINT_##name_,
enum report_printed { REPORT_PRINTED(REPORT_PRINT) REPORT_PRINT_COUNT };

/* By REPORT_FILE_NAME. */
extern const struct report_format *const report_files[REPORT_FILE_COUNT];

/* The values of --output, NULL-terminated. */
extern const char *const report_printed[];

/* The format in which the file @name of @option is written; NULL: its suffix says none. */
const struct report_format *report_format_of(const char *option, const char *name);

/* Writes the result to stdout in the format that the configuration asks for (files: outputs.h).
 * Returns 0 or -errno. */
int report(const struct result *r);

#endif
