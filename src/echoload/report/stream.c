/* SPDX-License-Identifier: MIT
 * stream: opens and closes the files; report_*.c know what stands in them.
 */
#include "stream.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/output.h"
#include "echo/base/program.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"
#include "echoload/result/verdict.h"
#include "report.h"

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
	if (e == 0 && report_is_hgrm(c->hist))
		e = stream_open_one(s, &s->hgrm, c->hist, r->phase, false);
	if (e == 0 && c->json[0])
		e = stream_open_one(s, &s->json, c->json, r->phase, false);
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

static void stream_close(struct stream *s, struct report_file *f, int e)
{
	stream_fail(s, f, report_file_close(f, e));
}

/* What could not be written is the verdict, unless there is a worse one. */
static void stream_judge(const struct stream *s, struct result *r)
{
	if (s->error == 0 || verdict_of_two(r->exit_code, EXIT_ENVIRONMENT) != EXIT_ENVIRONMENT)
		return;
	r->exit_code = EXIT_ENVIRONMENT;
	snprintf(r->exit_reason, sizeof(r->exit_reason), "cannot write %.160s: %s", s->what,
		 output_strerror(-s->error));
}

int stream_end(struct stream *s, struct result *r)
{
	if (!s->told)
		stream_start(s, r);
	stream_close(s, &s->csv, 0);
	stream_close(s, &s->hlog, 0);
	if (s->hgrm.f)
		stream_close(s, &s->hgrm, report_hgrm(r->latency, s->hgrm.f));
	stream_judge(s, r);
	if (s->jsonl.f)
		stream_close(s, &s->jsonl, report_jsonl_end(r, s->jsonl.f));
	stream_judge(s, r);
	if (s->json.f)
		stream_close(s, &s->json, report_json(r, s->json.f));
	stream_judge(s, r);
	return s->error;
}

void stream_drop(struct stream *s)
{
	struct report_file *files[] = { &s->jsonl, &s->csv, &s->hlog, &s->hgrm, &s->json };

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		(void)report_file_close(files[i], -ECANCELED);
}
