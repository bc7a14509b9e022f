/* SPDX-License-Identifier: MIT
 * plot_read: takes from JSON what a picture needs; what is not there is not drawn.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/escape.h"
#include "echo/base/hist.h"
#include "echo/base/hist_codec.h"
#include "plot_private.h"
#include "run_file.h"

static int add_interval(struct plot_data *p, const json_t *o)
{
	const json_t *latency = json_object_get(o, "latency_ns");
	struct interval *row;

	if (p->count == p->room) {
		const size_t room = p->room ? 2 * p->room : 1024;
		struct interval *more = realloc(p->rows, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		p->rows = more;
		p->room = room;
	}
	row = &p->rows[p->count];
	*row = (struct interval){ .begin_ns = run_file_number(o, "begin_ns", 0),
				  .end_ns = run_file_number(o, "end_ns", 0) };
	row->counts.echoed = (uint64_t)run_file_number(o, "echoed", 0);
	row->latency.count = (uint64_t)run_file_number(latency, "count", 0);
	row->latency.p50 = run_file_number(latency, "p50", 0);
	row->latency.p99 = run_file_number(latency, "p99", 0);
	row->latency.max = run_file_number(latency, "max", 0);
	p->count += row->end_ns > row->begin_ns;
	p->end_ns = row->end_ns > p->end_ns ? row->end_ns : p->end_ns;
	return 0;
}

static void set_outage(struct plot_data *p, const json_t *o, int64_t nth)
{
	if (nth < 0 || nth >= OUTAGES_MAX)
		return;
	p->outages[nth] = (struct outage){ .begin_ns = run_file_number(o, "begin_ns", 0),
					   .recovered_ns = run_file_number(o, "recovered_ns", -1) };
	if (nth >= p->outage_count)
		p->outage_count = (unsigned)nth + 1;
}

/* Of a text that is none there is no curve. Returns 0 or -ENOMEM. */
static int set_hist(struct hist **h, const json_t *histograms, const char *key)
{
	int e;

	hist_free(*h);
	*h = NULL;
	e = hist_codec_decode(run_file_text(histograms, key), h);
	return e == -ENOMEM ? e : 0;
}

/* The title: the command line, as far as it is known and as there is room. */
static void set_title(struct plot_data *p, const json_t *context)
{
	enum { ROOM = 125 }; /* characters that a picture is wide */

	const json_t *argv = json_object_get(context, "argv"), *word;
	char line[PLOT_TITLE_MAX] = "";
	size_t i, len = 0;

	json_array_foreach(argv, i, word)
	{
		const char *s = json_string_value(word);
		const char *slash = s ? strrchr(s, '/') : NULL;

		s = s && i == 0 && slash ? slash + 1 : s;
		if (s && len < sizeof(line))
			len += (size_t)snprintf(line + len, sizeof(line) - len, "%s%s",
						i ? " " : "", s);
	}
	escape_text(line, p->title, sizeof(p->title));
	if (strlen(p->title) <= ROOM)
		return;
	escape_text(line, p->title, ROOM - 2); /* whole characters */
	len = strlen(p->title);
	snprintf(p->title + len, sizeof(p->title) - len, "...");
}

static int take_result(struct plot_data *p, const json_t *r)
{
	const json_t *histograms = json_object_get(r, "histograms"), *o;
	const json_t *intervals = json_object_get(r, "intervals");
	size_t i;
	int e;

	set_title(p, json_object_get(r, "context"));
	p->warmup_ns = run_file_number(json_object_get(r, "measured"), "begin_ns", 0);
	e = set_hist(&p->all, histograms, "latency_ns");
	if (e == 0)
		e = set_hist(&p->outside, histograms, "latency_outside_outage_ns");
	json_array_foreach(json_object_get(r, "outages"), i, o) set_outage(p, o, (int64_t)i);
	json_array_foreach(intervals, i, o) e = e < 0 ? e : add_interval(p, o);
	return e;
}

static int fail(struct plot_data *p, int e, const char *why)
{
	snprintf(p->error, sizeof(p->error), "%s", why);
	return e;
}

int plot_read(struct plot_data *p, const char *name)
{
	json_t *runs;
	int e = 0;

	*p = (struct plot_data){ .count = 0 };
	runs = run_file_read(name, p->damage);
	if (!runs)
		return fail(p, -errno, p->damage);
	if (json_array_size(runs) > 0)
		e = take_result(p, json_array_get(runs, 0));
	json_decref(runs);
	if (e < 0)
		return fail(p, e, strerror(-e));
	if (p->count == 0)
		return fail(p, -EINVAL, "has no intervals: is it a run's --jsonl or --json?");
	return 0;
}

void plot_free(struct plot_data *p)
{
	hist_free(p->all);
	hist_free(p->outside);
	free(p->rows);
}
