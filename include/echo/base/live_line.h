/* SPDX-License-Identifier: MIT
 * live_line: one line of standard error that is written again and again while a program works.
 */
#ifndef ECHO_LIVE_LINE_H
#define ECHO_LIVE_LINE_H

#include <stdbool.h>
#include <stdint.h>

enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

/* For OPT_ENUM, and what --help says of it. */
extern const char *const live_line_modes[];
#define LIVE_LINE_HELP "a live line on standard error; auto: if that is a terminal"

enum { LIVE_LINE_SPAN_MAX = 32 };

struct live_line {
	bool on;
	bool shown; /* there is something to be overwritten */
};

/* Whether there is to be a line, by enum progress_mode. */
void live_line_begin(struct live_line *l, unsigned mode);
/* Shows @text, as much of it as the terminal is wide. Never waits. Nothing when it is off. */
void live_line_show(struct live_line *l, const char *text);
/* Wipes the line, before something else is printed and at the end. */
void live_line_clear(struct live_line *l);

/* A time that is not known exactly: "45 s", "3 min 20 s", "2 h 5 min". Returns @text. */
char *live_line_span(int64_t ns, char text[LIVE_LINE_SPAN_MAX]);

#endif
