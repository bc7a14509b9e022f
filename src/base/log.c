/* SPDX-License-Identifier: MIT
 * log: formats a line on the stack, makes it harmless, and writes it with one call.
 *
 * A write of at most PIPE_BUF bytes to a pipe is atomic, so lines of several threads (or processes)
 * stay whole without a lock. The lock is for what they count.
 */
#include "echo/base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/escape.h"
#include "echo/base/log_limit.h"
#include "echo/base/output.h"

enum {
	LINE_MAX_LEN = 1024, /* newline included */
	JSON_MAX_LEN = 2048, /* the same, as JSON */
	HEAD_MAX = 600,      /* what stands before the message */
};

static_assert((int)JSON_MAX_LEN <= PIPE_BUF, "a line is written as a whole");

struct line {
	char text[JSON_MAX_LEN + 1]; /* snprintf's terminator */
	size_t len, most;            /* most: with the message, but for what ends the line */
	bool json;
};

static const char cut_mark[] = "...", text_end[] = "\n", json_end[] = "\"}\n";

static const char *log_program;
static bool log_to_journal;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER; /* of these two */
static struct log_options log_options = { LOG_TEXT, LOG_LEVEL_INFO, 0 };
static struct log_limit log_limit;

/* sd-daemon(3): DEVICE:INODE of the stream, which is stderr unless that was redirected since. */
static bool log_finds_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(own, sizeof(own), "%" PRIuMAX ":%" PRIuMAX, (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	return strcmp(stream, own) == 0;
}

void log_init(const char *program)
{
	assert(program);
	log_program = program;
	log_to_journal = log_finds_journal();
}

void log_configure(const struct log_options *o)
{
	pthread_mutex_lock(&log_lock);
	log_options = *o;
	pthread_mutex_unlock(&log_lock);
}

/* ---- a line ---- */

/* What stands before the message, at most HEAD_MAX bytes of it. */
__attribute__((format(printf, 2, 3))) static void line_print(struct line *l, const char *fmt, ...)
{
	const size_t room = HEAD_MAX - l->len;
	va_list args;
	int n;

	assert(l->len < HEAD_MAX);
	va_start(args, fmt);
	n = vsnprintf(l->text + l->len, room, fmt, args);
	va_end(args);
	if (n > 0)
		l->len += size_min((size_t)n, room - 1);
}

/* Writes the first character of @text as it is shown. Returns how many of its bytes that was. */
static size_t line_next(const struct line *l, const char *text, size_t left,
			char shown[2 * ESCAPE_MAX])
{
	char out[ESCAPE_MAX];
	const size_t n = escape_next(text, left, out);

	for (const char *c = out; *c; c++) {
		if (l->json && (*c == '"' || *c == '\\'))
			*shown++ = '\\';
		*shown++ = *c;
	}
	*shown = '\0';
	return n;
}

static void line_put(struct line *l, const char *text)
{
	const size_t len = strlen(text);

	memcpy(l->text + l->len, text, len);
	l->len += len;
}

/* Appends @text; what does not fit is left out and marked. */
static void line_add(struct line *l, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		char shown[2 * ESCAPE_MAX];
		const size_t n = line_next(l, text, left, shown);

		if (l->len + strlen(shown) > l->most) {
			line_put(l, cut_mark);
			return;
		}
		line_put(l, shown);
		text += n;
		left -= n;
	}
}

static void line_begin_text(struct line *l, enum log_level level, unsigned left_out)
{
	static const char *const shown[] = { "error: ", "warning: ", "" };

	line_print(l, "%s: %s", log_program ? log_program : program_invocation_short_name,
		   shown[level]);
	if (left_out > 0)
		line_print(l, "%u more lines such as: ", left_out);
	l->most = LINE_MAX_LEN - strlen(cut_mark) - strlen(text_end);
}

static void line_begin_json(struct line *l, enum log_level level, unsigned left_out)
{
	static const char *const names[] = { "error", "warning", "info" };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	line_print(l, "{\"unix_ns\":%" PRId64 ",\"level\":\"%s\",\"program\":\"%.64s\",\"pid\":%d,",
		   (int64_t)now.tv_sec * SEC(1) + now.tv_nsec, names[level],
		   log_program ? log_program : "", (int)getpid());
	if (left_out > 0)
		line_print(l, "\"left_out\":%u,", left_out);
	line_print(l, "\"message\":\"");
	l->most = JSON_MAX_LEN - strlen(cut_mark) - strlen(json_end);
}

/* @left_out: so many such lines were, and this is the last of them; 0: it is a line of its own. */
static void line_write(enum log_format format, enum log_level level, const char *message,
		       unsigned left_out)
{
	static const char *const priorities[] = { "<3>", "<4>", "<6>" };
	struct line l = { .json = format == LOG_JSON };

	if (log_to_journal)
		line_print(&l, "%s", priorities[level]);
	if (l.json)
		line_begin_json(&l, level, left_out);
	else
		line_begin_text(&l, level, left_out);
	line_add(&l, message);
	line_put(&l, l.json ? json_end : text_end);
	assert(l.len <= JSON_MAX_LEN);
	(void)output_write(STDERR_FILENO, l.text, l.len,
			   SEC(1)); /* there is no place to tell a failure */
}

/* ---- which lines ---- */

int log_left_out(bool all)
{
	struct log_options o;
	struct log_kind k;
	int64_t now_ns, next_ns;
	bool more;

	do {
		pthread_mutex_lock(&log_lock);
		now_ns = clock_now_ns();
		more = log_limit_take(&log_limit, now_ns, all, &k);
		next_ns = log_limit_next_ns(&log_limit);
		o = log_options;
		pthread_mutex_unlock(&log_lock);
		if (more)
			line_write((enum log_format)o.format, (enum log_level)k.level, k.example,
				   k.left_out);
	} while (more);
	if (next_ns == 0)
		return -1;
	return next_ns > now_ns ? (int)((next_ns - now_ns) / MSEC(1)) + 1 : 0;
}

/* Whether it is left out, and counted. */
static bool log_limited(enum log_level level, const char *fmt, const char *message, unsigned burst)
{
	struct log_kind *k;

	pthread_mutex_lock(&log_lock);
	k = log_limit_line(&log_limit, fmt, burst, clock_now_ns());
	if (k) {
		k->level = (int)level;
		snprintf(k->example, sizeof(k->example), "%.*s", LOG_LIMIT_EXAMPLE - 1, message);
	}
	pthread_mutex_unlock(&log_lock);
	return k != NULL;
}

static void log_line(enum log_level level, const char *fmt, va_list args)
{
	char message[LINE_MAX_LEN + 1]; /* longer than what fits, so that line_add sees the cut */
	struct log_options o;
	int saved = errno;

	pthread_mutex_lock(&log_lock);
	o = log_options;
	pthread_mutex_unlock(&log_lock);
	if ((unsigned)level > o.level)
		return;
	(void)log_left_out(false);
	errno = saved; /* for %m */
	if (vsnprintf(message, sizeof(message), fmt, args) < 0)
		return; /* no such wide character; nothing that can be printed */
	if (!log_limited(level, fmt, message, o.burst))
		line_write((enum log_format)o.format, level, message, 0);
	errno = saved;
}

void log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_LEVEL_ERROR, fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_LEVEL_WARNING, fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(LOG_LEVEL_INFO, fmt, args);
	va_end(args);
}
