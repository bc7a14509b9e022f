/* SPDX-License-Identifier: MIT
 * run_file: puts together what the lines of a run say, so that those who look at runs need to know
 * one form only.
 */
#include "run_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/output.h"
#include "echo/lab/tojson.h"
#include "echoload/watch/outage.h"

/* What has been read so far. */
struct run_file {
	json_t *runs;
	json_t *current; /* the run whose lines are read; NULL: none */
};

int64_t run_file_number(const json_t *o, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(o, key);
	const json_int_t n = json_integer_value(v);

	return json_is_integer(v) && n >= 0 && n <= INT64_MAX / 4 ? n : otherwise;
}

const char *run_file_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* The current run; a file may begin in the middle of one. NULL: no memory. */
static json_t *run_file_current(struct run_file *f)
{
	if (!f->current)
		f->current =
			json_pack("{ss s[] s[]}", "schema", "echoload/1", "intervals", "outages");
	return f->current;
}

/* The run is over, and one of the runs. */
static int run_file_close(struct run_file *f)
{
	json_t *run = f->current;

	f->current = NULL;
	return !run || json_array_append_new(f->runs, run) == 0 ? 0 : -ENOMEM;
}

static int run_file_start(struct run_file *f, json_t *event)
{
	static const char *const keys[] = { "phase", "config", "config_source", "context" };
	int e = run_file_close(f);

	if (e == 0 && !run_file_current(f))
		e = -ENOMEM;
	for (size_t i = 0; e == 0 && i < sizeof(keys) / sizeof(*keys); i++) {
		json_t *value = json_object_get(event, keys[i]);

		if (value && json_object_set(f->current, keys[i], value) < 0)
			e = -ENOMEM;
	}
	return e;
}

static int run_file_interval(struct run_file *f, json_t *event)
{
	json_t *run = run_file_current(f);

	return json_array_append(json_object_get(run, "intervals"), event) == 0 ? 0 : -ENOMEM;
}

/* An outage is told of twice: when it opens, and when it has recovered. */
static int run_file_fault(struct run_file *f, json_t *event)
{
	json_t *outages = json_object_get(run_file_current(f), "outages");
	const int64_t number = run_file_number(event, "outage", 0);
	const size_t count = json_array_size(outages);

	if (number < 1 || number > OUTAGES_MAX || (size_t)number > count + 1)
		return 0;
	if ((size_t)number == count + 1)
		return json_array_append(outages, event) == 0 ? 0 : -ENOMEM;
	return json_array_set(outages, (size_t)number - 1, event) == 0 ? 0 : -ENOMEM;
}

/* The intervals of the lines instead of those of the result, which had no room for as many. */
static int run_file_prefer(json_t *run, json_t *intervals)
{
	const int64_t lines = (int64_t)json_array_size(intervals),
		      listed = (int64_t)json_array_size(json_object_get(run, "intervals")),
		      unlisted = run_file_number(run, "intervals_unlisted", 0);

	if (lines == 0 || lines < listed)
		return 0;
	if (unlisted > 0 &&
	    json_object_set_new(
		    run, "intervals_unlisted",
		    json_integer(unlisted > lines - listed ? unlisted - (lines - listed) : 0)) < 0)
		return -ENOMEM;
	return json_object_set(run, "intervals", intervals) == 0 ? 0 : -ENOMEM;
}

/* The result says more than the lines did, but it may have had no room for all intervals, as lines
 * may have been lost. */
static int run_file_end(struct run_file *f, json_t *result)
{
	json_t *run = run_file_current(f);
	json_t *intervals = json_incref(json_object_get(run, "intervals"));
	int e = 0;

	if (json_is_object(result) && json_object_update(run, result) < 0)
		e = -ENOMEM;
	if (e == 0)
		e = run_file_prefer(run, intervals);
	json_decref(intervals);
	return e < 0 ? e : run_file_close(f);
}

/* A result that stands alone. */
static int run_file_result(struct run_file *f, json_t *result)
{
	const int e = run_file_close(f);

	return e < 0 ? e : run_file_end(f, result);
}

static int run_file_take(struct run_file *f, json_t *o)
{
	const char *event = run_file_text(o, "event");

	if (strcmp(run_file_text(o, "schema"), "echoload/1") == 0 && !event[0])
		return run_file_result(f, o);
	if (strcmp(event, "start") == 0)
		return run_file_start(f, o);
	if (strcmp(event, "interval") == 0)
		return run_file_interval(f, o);
	if (strcmp(event, "fault") == 0)
		return run_file_fault(f, o);
	if (strcmp(event, "end") == 0)
		return run_file_end(f, json_object_get(o, "result"));
	return 0;
}

int run_file_load(const char *name, char **text, size_t *size)
{
	FILE *from = fopen(name, "re");
	char block[65536];
	struct output_text b;
	size_t n;
	int e;

	if (!from)
		return -errno;
	e = output_text_open(&b);
	if (e < 0)
		goto out_close;
	while ((n = fread(block, 1, sizeof(block), from)) > 0)
		(void)fwrite(block, 1, n, b.to); /* output_text_close tells of all */
	e = ferror(from) ? -errno : 0;
	if (output_text_close(&b) < 0)
		e = b.error;
	*text = b.text;
	*size = b.len;
out_close:
	fclose(from);
	return e;
}

static unsigned run_file_line(const char *text, size_t at)
{
	unsigned line = 1;

	for (size_t i = 0; i < at; i++)
		line += text[i] == '\n';
	return line;
}

/* Where the next line begins that may be an object; those in a result are indented. */
static size_t run_file_resync(const char *text, size_t size, size_t at)
{
	const char *next = at < size ? memmem(text + at, size - at, "\n{", 2) : NULL;

	return next ? (size_t)(next + 1 - text) : size;
}

/* Takes all objects of @text. What is damaged is left out, and @error names its first line, unless
 * nothing comes behind it: the last line of a run that goes on, or was killed, may be cut. */
static int run_file_parse(struct run_file *f, const char *text, size_t size,
			  char error[RUN_FILE_ERROR_MAX])
{
	size_t at = 0, damaged = size;
	json_error_t why;
	int e = 0;

	while (e == 0 && at < size) {
		json_t *o = json_loadb(text + at, size - at, JSON_DISABLE_EOF_CHECK, &why);

		if (!o && tojson_no_memory())
			return -ENOMEM;
		if (!o) {
			at += strspn(text + at, " \t\r\n");
			damaged = damaged < at ? damaged : at;
			at = run_file_resync(text, size, at);
			continue;
		}
		if (damaged < at && !error[0])
			snprintf(error, RUN_FILE_ERROR_MAX,
				 "line %u is damaged, and what it said is left out",
				 run_file_line(text, damaged));
		e = run_file_take(f, o);
		at += (size_t)why.position;
		json_decref(o);
	}
	return e;
}

json_t *run_file_read(const char *name, char error[RUN_FILE_ERROR_MAX])
{
	struct run_file f = { .runs = json_array() };
	char *text = NULL;
	size_t size = 0;
	int e = run_file_load(name, &text, &size);

	error[0] = '\0';
	if (e == 0)
		e = run_file_parse(&f, text, size, error);
	free(text);
	if (e == 0)
		e = run_file_close(&f);
	json_decref(f.current);
	if (e == 0 && tojson_no_memory())
		e = -ENOMEM;
	if (e == 0)
		return f.runs;
	snprintf(error, RUN_FILE_ERROR_MAX, "%s", strerror(-e));
	json_decref(f.runs);
	errno = -e;
	return NULL;
}
