/* SPDX-License-Identifier: MIT
 * progress_line: each text takes the place of the one before. A terminal that takes no more text
 * holds up no run: what it does not take is left out.
 */
#include "echo/base/progress_line.h"

#include <stdio.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/output.h"

enum { WIDTH_MAX = 79 };

const char *const progress_line_modes[] = { "auto", "always", "never", NULL };

void progress_line_begin(struct progress_line *l, unsigned mode)
{
	*l = (struct progress_line){ .on = mode == PROGRESS_ALWAYS ||
					   (mode == PROGRESS_AUTO && isatty(STDERR_FILENO)) };
}

/* Spaces wipe what was longer; the cursor is left at the beginning, so that a message in between
 * does not begin behind the line. */
static void progress_line_write(const struct progress_line *l, const char *text)
{
	const int width = (int)output_columns(STDERR_FILENO, WIDTH_MAX); /* it may have changed */
	char out[2 * WIDTH_MAX + 8];
	int n = snprintf(out, sizeof(out), "\r%-*.*s\r", l->shown ? width : 0, width, text);

	(void)output_write(STDERR_FILENO, out, (size_t)n, OUTPUT_NO_WAIT);
}

void progress_line_show(struct progress_line *l, const char *text)
{
	if (!l->on)
		return;
	progress_line_write(l, text);
	l->shown = true;
}

void progress_line_clear(struct progress_line *l)
{
	if (l->shown)
		progress_line_write(l, "");
	l->shown = false;
}

char *progress_line_span(int64_t ns, char text[PROGRESS_LINE_SPAN_MAX])
{
	long long s = (ns + SEC(1) - 1) / SEC(1);

	if (s < 120)
		snprintf(text, PROGRESS_LINE_SPAN_MAX, "%lld s", s);
	else if (s < 7200)
		snprintf(text, PROGRESS_LINE_SPAN_MAX, "%lld min %lld s", s / 60, s % 60);
	else
		snprintf(text, PROGRESS_LINE_SPAN_MAX, "%lld h %lld min", s / 3600, s / 60 % 60);
	return text;
}
