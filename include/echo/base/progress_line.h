/* SPDX-License-Identifier: MIT
 * progress_line: one line of standard error that is written again and again while a program works.
 */
#ifndef ECHO_PROGRESS_LINE_H
#define ECHO_PROGRESS_LINE_H

#include <stdbool.h>
#include <stdint.h>

enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

/* For OPT_ENUM, and what --help says of it. */
extern const char *const progress_line_modes[];
#define PROGRESS_LINE_HELP "a progress line on standard error; auto: if that is a terminal"

enum { PROGRESS_LINE_SPAN_MAX = 32 };

struct progress_line {
	bool on;
	bool shown; /* there is something to be overwritten */
};

/* Whether there is to be a line, by enum progress_mode. */
void progress_line_begin(struct progress_line *l, unsigned mode);
/* Shows @text, as much of it as the terminal is wide. Never waits. Nothing when it is off. */
void progress_line_show(struct progress_line *l, const char *text);
/* Wipes the line, before something else is printed and at the end. */
void progress_line_clear(struct progress_line *l);

/* A time that is not known exactly: "45 s", "3 min 20 s", "2 h 5 min". Returns @text. */
char *progress_line_span(int64_t ns, char text[PROGRESS_LINE_SPAN_MAX]);

#endif
