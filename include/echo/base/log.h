/* SPDX-License-Identifier: MIT
 * log: lines for people on stderr; one line is one write, so that threads do not mix theirs.
 *
 *     echod: warning: cannot raise the limit of descriptors: Operation not permitted
 *
 * Errors, warnings and debug lines carry their level, information does not. A control character
 * that a terminal would obey comes out as \x0a (escape.h): text from a peer can break neither the
 * line nor the terminal. A line of more than about 1000 bytes is cut and ends in "...". errno stays
 * as it was, %m may be used. A line that nobody reads is waited with for one second, and dropped.
 */
#ifndef ECHO_LOG_H
#define ECHO_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Sets the name that every line begins with (kept by reference) and the least urgent level that is
 * printed; until then the name is the program's own and the level LOG_INFO. Call before threads
 * start. */
void log_init(const char *program, enum log_level most);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
