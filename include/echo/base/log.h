/* SPDX-License-Identifier: MIT
 * log: lines for people on stderr; one line is one event and one write, so that threads do not mix
 * theirs.
 *
 *     echod: warning: cannot raise the limit of descriptors: Operation not permitted
 *
 * Errors and warnings carry their level, information does not. A control character
 * that a terminal would obey comes out as \x0a (escape.h): text from a peer can break neither the
 * line nor the terminal. A line of more than about 1000 bytes is cut and ends in "...". errno stays
 * as it was, %m may be used. A line that nobody reads is waited with for one second, and dropped.
 *
 * Where stderr is a stream of systemd's journal ($JOURNAL_STREAM, sd-daemon(3)) a line begins with
 * its priority, such as <4>. As JSON a line is an object (docs/echod-log-1.schema.json).
 */
#ifndef ECHO_LOG_H
#define ECHO_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_options {
	unsigned format; /* enum log_format */
	unsigned level;  /* enum log_level: lesser ones are left out, uncounted */
	unsigned burst;  /* lines of a kind within 5 s (log_limit.h); 0: any number */
};

/* Sets the name that every line begins with (kept by reference); until then it is the program's
 * own. Call before threads start, with the stderr that stays. */
void log_init(const char *program);

/* From now on; until then LOG_TEXT, LOG_LEVEL_INFO, 0. */
void log_configure(const struct log_options *o);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Tells how many lines were left out, where that is due; @all: at the end of the program. Returns
 * after how many milliseconds to call it again, -1: nothing was left out. */
int log_left_out(bool all);

#endif
