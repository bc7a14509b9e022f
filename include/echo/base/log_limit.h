/* SPDX-License-Identifier: MIT
 * log_limit: how many lines of a kind may be written: a burst in a window of time. Lines that are
 * left out are counted, and told when the window is over. The kind of a line is its format string,
 * by its address: what one statement of the program says.
 */
#ifndef ECHO_LOG_LIMIT_H
#define ECHO_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LOG_LIMIT_WINDOW_MS = 5000,
	LOG_LIMIT_KINDS = 128, /* lines of any further kind are not limited */
	LOG_LIMIT_EXAMPLE = 256,
};

struct log_kind {
	const char *format;
	int level;        /* of its lines: the caller's */
	int64_t began_ns; /* its window */
	unsigned count, left_out;
	char example[LOG_LIMIT_EXAMPLE]; /* the last that was left out: the caller's */
};

/* Zeroed. Not for two threads at a time. */
struct log_limit {
	struct log_kind kinds[LOG_LIMIT_KINDS];
	unsigned count;
};

/* A line of this kind comes at @now_ns. Returns NULL: it may be written, @burst (0: any number) of
 * them in a window; or the kind, which has counted it as left out. */
struct log_kind *log_limit_line(struct log_limit *l, const char *format, unsigned burst,
				int64_t now_ns);

/* Takes what is to be told at @now_ns, or, if @all, before it is due: copies a kind of which lines
 * were left out, and begins to count anew. Returns whether there was one. */
bool log_limit_take(struct log_limit *l, int64_t now_ns, bool all, struct log_kind *k);

/* When there will be something to be told; 0: nothing was left out. */
int64_t log_limit_next_ns(const struct log_limit *l);

#endif
