/* SPDX-License-Identifier: MIT
 * log: formats a line on the stack, makes it harmless, and writes it with one call.
 *
 * A write of at most PIPE_BUF bytes to a pipe is atomic, so lines of several threads (or processes)
 * stay whole without a lock.
 */
#include "echo/base/log.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/base/output.h"

enum {
	LINE_MAX_LEN = 1024, /* newline included */
};

static_assert((int)LINE_MAX_LEN <= PIPE_BUF, "a line is written as a whole");

struct line {
	char text[LINE_MAX_LEN + 1]; /* snprintf's terminator */
	size_t len;
};

static const char cut_mark[] = "...";

static const char *log_program;

void log_init(const char *program)
{
	assert(program);
	log_program = program;
}

/* Appends @text; what does not fit is left out and marked. */
static void line_add(struct line *l, const char *text)
{
	const size_t most = LINE_MAX_LEN - sizeof(cut_mark); /* room for mark and newline */
	size_t left = strlen(text);

	while (left > 0) {
		char out[ESCAPE_MAX];
		const size_t n = escape_next(text, left, out), room = strlen(out);

		if (l->len + room > most) {
			memcpy(l->text + l->len, cut_mark, sizeof(cut_mark) - 1);
			l->len += sizeof(cut_mark) - 1;
			return;
		}
		memcpy(l->text + l->len, out, room);
		l->len += room;
		text += n;
		left -= n;
	}
}

static void log_line(const char *level, const char *fmt, va_list args)
{
	const char *program = log_program ? log_program : program_invocation_short_name;
	char message[LINE_MAX_LEN + 1]; /* longer than what fits, so that line_add sees the cut */
	struct line l;
	int saved = errno;

	l.len = (size_t)snprintf(l.text, LINE_MAX_LEN / 2, "%s: %s", program, level);
	l.len = size_min(l.len, LINE_MAX_LEN / 2 - 1);
	errno = saved; /* for %m */
	if (vsnprintf(message, sizeof(message), fmt, args) < 0)
		return; /* no such wide character; nothing that can be printed */
	line_add(&l, message);
	l.text[l.len++] = '\n';
	assert(l.len <= LINE_MAX_LEN);
	(void)output_write(STDERR_FILENO, l.text, l.len,
			   SEC(1)); /* there is no place to tell a failure */
	errno = saved;
}

void log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line("error: ", fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line("warning: ", fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line("", fmt, args);
	va_end(args);
}
