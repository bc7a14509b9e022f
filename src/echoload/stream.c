/* SPDX-License-Identifier: MIT
 * stream: opens and closes the files; report_jsonl.c, report_csv.c and report_hist.c know what
 * stands in them.
 */
#include "stream.h"

#include <errno.h>
#include <string.h>

#include "echo/base.h"
#include "opts.h"
#include "report.h"
#include "result.h"

static int stream_fail(struct stream *s, const struct report_file *f, int e)
{
	if (e < 0 && s->error == 0) {
		s->error = e;
		s->what = f->name;
	}
	return e;
}

static int stream_open_one(struct stream *s, struct report_file *f, const char *given,
			   const char *phase, bool in_place)
{
	char name[PATH_MAX];
	int e = report_file_name(name, given, phase);

	if (e == 0)
		e = report_file_open(f, name, in_place);
	if (e < 0 && !f->name[0])
		snprintf(f->name, sizeof(f->name), "%s", given);
	return stream_fail(s, f, e);
}

int stream_open(struct stream *s, const struct result *r)
{
	const struct load_config *c = r->config;
	int e = 0;

	*s = (struct stream){ .what = "" };
	if (c->jsonl[0])
		e = stream_open_one(s, &s->jsonl, c->jsonl, r->phase, true);
	if (e == 0 && c->csv[0])
		e = stream_open_one(s, &s->csv, c->csv, r->phase, false);
	if (e == 0 && report_is_hlog(c->hist))
		e = stream_open_one(s, &s->hlog, c->hist, r->phase, false);
	if (e < 0)
		stream_drop(s);
	return e;
}

void stream_start(struct stream *s, const struct result *r)
{
	s->told = r;
	if (s->jsonl.f)
		stream_fail(s, &s->jsonl, report_jsonl_start(r, s->jsonl.f));
	if (s->csv.f)
		stream_fail(s, &s->csv, report_csv_head(s->csv.f));
	if (s->hlog.f)
		stream_fail(s, &s->hlog, report_hlog_head(r, s->hlog.f));
}

void stream_interval(struct stream *s, const struct interval *i, const struct hist *h)
{
	if (s->jsonl.f)
		stream_fail(s, &s->jsonl, report_jsonl_interval(i, s->jsonl.f));
	if (s->csv.f)
		stream_fail(s, &s->csv, report_csv_row(i, s->csv.f));
	if (s->hlog.f)
		stream_fail(s, &s->hlog, report_hlog_line(i, h, s->hlog.f));
}

void stream_outage(struct stream *s, unsigned number, const struct outage *o, bool recovered)
{
	if (s->jsonl.f)
		stream_fail(s, &s->jsonl, report_jsonl_fault(number, o, recovered, s->jsonl.f));
}

int stream_end(struct stream *s, const struct result *r)
{
	struct report_file *files[] = { &s->jsonl, &s->csv, &s->hlog };

	if (!s->told)
		stream_start(s, r);
	if (s->jsonl.f)
		stream_fail(s, &s->jsonl, report_jsonl_end(r, s->jsonl.f));
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		stream_fail(s, files[i], report_file_close(files[i], 0));
	return s->error;
}

void stream_drop(struct stream *s)
{
	(void)report_file_close(&s->jsonl, -ECANCELED);
	(void)report_file_close(&s->csv, -ECANCELED);
	(void)report_file_close(&s->hlog, -ECANCELED);
}
