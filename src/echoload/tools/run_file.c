/* SPDX-License-Identifier: MIT
 * run_file: puts together what the lines of a run say, so that those who look at runs need to know
 * one form only.
 */
#include "run_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "echoload/engine/outage.h"

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

/* The result says more than the lines did, but it may have had no room for all intervals. */
static int run_file_end(struct run_file *f, json_t *result)
{
	json_t *run = run_file_current(f);
	json_t *intervals = json_incref(json_object_get(run, "intervals"));
	int e = 0;

	if (json_is_object(result) && json_object_update(run, result) < 0)
		e = -ENOMEM;
	if (e == 0 && json_array_size(intervals) > 0 &&
	    json_object_set(run, "intervals", intervals) < 0)
		e = -ENOMEM;
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

json_t *run_file_read(const char *name, char error[RUN_FILE_ERROR_MAX])
{
	struct run_file f = { .runs = json_array() };
	FILE *from = fopen(name, "re");
	int e = from ? 0 : -errno;
	json_error_t at;
	json_t *o;

	/* the last line of a run that goes on, or was killed, may be cut: what came before counts
	 */
	while (e == 0 && (o = json_loadf(from, JSON_DISABLE_EOF_CHECK, &at))) {
		e = run_file_take(&f, o);
		json_decref(o);
	}
	if (e == 0 && ferror(from))
		e = -EIO;
	if (from)
		fclose(from);
	if (e == 0)
		e = run_file_close(&f);
	json_decref(f.current);
	if (e == 0)
		return f.runs;
	snprintf(error, RUN_FILE_ERROR_MAX, "%s", strerror(-e));
	json_decref(f.runs);
	return NULL;
}
