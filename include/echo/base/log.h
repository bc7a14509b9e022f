/* SPDX-License-Identifier: MIT
 * log: lines for people on stderr; one line is one write, so that threads do not mix theirs.
 *
 *     echod: warning: cannot raise the limit of descriptors: Operation not permitted
 *
 * Errors and warnings carry their level, information does not. A control character
 * that a terminal would obey comes out as \x0a (escape.h): text from a peer can break neither the
 * line nor the terminal. A line of more than about 1000 bytes is cut and ends in "...". errno stays
 * as it was, %m may be used. A line that nobody reads is waited with for one second, and dropped.
 */
#ifndef ECHO_LOG_H
#define ECHO_LOG_H

/* Sets the name that every line begins with (kept by reference); until then it is the program's
 * own. Call before threads start. */
void log_init(const char *program);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
