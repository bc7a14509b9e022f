/* SPDX-License-Identifier: MIT
 * merge_file: a result from its file. That may be JSON Lines: a part of a load writes a line at
 * every interval, so that one that is killed leaves what it knew. Then the last line has the
 * result, or there is none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "echo/lab/tojson.h"
#include "merge_private.h"
#include "run_file.h"

static const size_t flags = JSON_REJECT_DUPLICATES;

/* The last line that is whole. */
static json_t *file_last_line(const char *text, size_t size)
{
	const char *line;

	while (size > 0 && text[size - 1] != '\n')
		size--; /* it was being written when the program ended */
	while (size > 0 && text[size - 1] == '\n')
		size--;
	line = size > 0 ? memrchr(text, '\n', size) : NULL;
	line = line ? line + 1 : text;
	return json_loadb(line, (size_t)(text + size - line), flags, NULL);
}

/* How far the lines of a run without an end tell of it. */
static void file_count_intervals(struct merge_part *p, const char *text, size_t size)
{
	const char *end = text + size, *line = text, *next;

	for (; (next = memchr(line, '\n', (size_t)(end - line))); line = next + 1) {
		json_t *o = json_loadb(line, (size_t)(next - line), flags, NULL);
		const char *event = json_string_value(json_object_get(o, "event"));

		if (event && strcmp(event, "interval") == 0) {
			p->echoed += merge_value_count(p, o, "echoed");
			p->until_ns = merge_value_moment(p, o, "end_ns");
		}
		json_decref(o);
	}
}

/* @p->root is the first line. */
static int file_lines(struct merge_part *p, const char *text, size_t size)
{
	json_t *last = file_last_line(text, size);
	json_t *result = json_object_get(last, "result");

	if (json_is_object(result)) {
		json_decref(p->root);
		p->root = json_incref(result);
	} else {
		file_count_intervals(p, text, size);
		p->dead = true;
	}
	json_decref(last);
	if (tojson_no_memory())
		return merge_value_no_memory(p);
	if (p->dead && !json_is_object(json_object_get(p->root, "part")))
		return merge_value_fail(p, "the run has no end: it was killed, or goes on");
	return p->error[0] ? -EINVAL : 0;
}

/* Whether it ends before its first line does: there was no room for it, or no time. */
static bool file_has_no_line(const char *text, size_t size)
{
	static const char event[] = "{\"event\":";
	const size_t len = size < strlen(event) ? size : strlen(event);

	return size == 0 || (memcmp(text, event, len) == 0 && !memchr(text, '\n', size));
}

static int file_parse(struct merge_part *p, const char *text, size_t size)
{
	json_error_t at;

	p->root = json_loadb(text, size, flags | JSON_DISABLE_EOF_CHECK, &at);
	if (p->root && json_is_string(json_object_get(p->root, "event")))
		return file_lines(p, text, size);
	json_decref(p->root);
	p->root = json_loadb(text, size, flags, &at);
	if (tojson_no_memory())
		return merge_value_no_memory(p);
	p->nothing = !p->root && file_has_no_line(text, size);
	if (p->nothing)
		return merge_value_fail(p, "not one line of it was written");
	if (!p->root)
		return merge_value_fail(p, "line %d: %s", at.line, at.text);
	return 0;
}

int merge_file_load(struct merge_part *p)
{
	size_t size = 0;
	char *text = NULL;
	int e = run_file_load(p->name, &text, &size);

	if (e < 0) {
		merge_value_fail(p, "cannot be read: %s", strerror(-e));
		p->lack = e;
	} else {
		e = file_parse(p, text, size);
	}
	free(text);
	return e;
}
