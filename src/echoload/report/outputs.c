/* SPDX-License-Identifier: MIT
 * outputs: opens and closes the files; report_*.c know what stands in them.
 */
#include "outputs.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/output.h"
#include "echo/base/program.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"
#include "echoload/result/verdict.h"
#include "report.h"

static int outputs_fail(struct outputs *s, const struct report_file *f, int e)
{
	if (e < 0 && s->error == 0) {
		s->error = e;
		s->what = f->name;
	}
	return e;
}

static int outputs_open_one(struct outputs *s, struct report_file *f, const char *given,
			    const char *phase, bool in_place)
{
	char name[PATH_MAX];
	int e = report_file_name(name, given, phase);

	if (e == 0)
		e = report_file_open(f, name, in_place);
	if (e < 0 && !f->name[0])
		snprintf(f->name, sizeof(f->name), "%s", given);
	return outputs_fail(s, f, e);
}

int outputs_open(struct outputs *s, const struct result *r)
{
	const struct load_config *c = r->config;
	int e = 0;

	*s = (struct outputs){ .what = "" };
	if (c->jsonl[0])
		e = outputs_open_one(s, &s->jsonl, c->jsonl, r->phase, true);
	if (e == 0 && c->csv[0])
		e = outputs_open_one(s, &s->csv, c->csv, r->phase, false);
	if (e == 0 && report_is_hlog(c->hist))
		e = outputs_open_one(s, &s->hlog, c->hist, r->phase, false);
	if (e == 0 && report_is_hgrm(c->hist))
		e = outputs_open_one(s, &s->hgrm, c->hist, r->phase, false);
	if (e == 0 && c->json[0])
		e = outputs_open_one(s, &s->json, c->json, r->phase, false);
	if (e < 0)
		outputs_drop(s);
	return e;
}

void outputs_start(struct outputs *s, const struct result *r)
{
	s->told = r;
	if (s->jsonl.f)
		outputs_fail(s, &s->jsonl, report_jsonl_start(r, s->jsonl.f));
	if (s->csv.f)
		outputs_fail(s, &s->csv, report_csv_head(s->csv.f));
	if (s->hlog.f)
		outputs_fail(s, &s->hlog, report_hlog_head(r, s->hlog.f));
}

void outputs_interval(struct outputs *s, const struct interval *i, const struct hist *h)
{
	if (s->jsonl.f)
		outputs_fail(s, &s->jsonl, report_jsonl_interval(i, s->jsonl.f));
	if (s->csv.f)
		outputs_fail(s, &s->csv, report_csv_row(i, s->csv.f));
	if (s->hlog.f)
		outputs_fail(s, &s->hlog, report_hlog_line(i, h, s->hlog.f));
}

void outputs_outage(struct outputs *s, unsigned number, const struct outage *o, bool recovered)
{
	if (s->jsonl.f)
		outputs_fail(s, &s->jsonl, report_jsonl_fault(number, o, recovered, s->jsonl.f));
}

static void outputs_close(struct outputs *s, struct report_file *f, int e)
{
	outputs_fail(s, f, report_file_close(f, e));
}

/* What could not be written is the verdict, unless there is a worse one. */
static void outputs_judge(const struct outputs *s, struct result *r)
{
	if (s->error == 0 || verdict_of_two(r->exit_code, EXIT_ENVIRONMENT) != EXIT_ENVIRONMENT)
		return;
	r->exit_code = EXIT_ENVIRONMENT;
	snprintf(r->exit_reason, sizeof(r->exit_reason), "cannot write %.160s: %s", s->what,
		 output_strerror(-s->error));
}

int outputs_end(struct outputs *s, struct result *r)
{
	if (!s->told)
		outputs_start(s, r);
	outputs_close(s, &s->csv, 0);
	outputs_close(s, &s->hlog, 0);
	if (s->hgrm.f)
		outputs_close(s, &s->hgrm, report_hgrm(r->latency, s->hgrm.f));
	outputs_judge(s, r);
	if (s->jsonl.f)
		outputs_close(s, &s->jsonl, report_jsonl_end(r, s->jsonl.f));
	outputs_judge(s, r);
	if (s->json.f)
		outputs_close(s, &s->json, report_json(r, s->json.f));
	outputs_judge(s, r);
	return s->error;
}

void outputs_drop(struct outputs *s)
{
	struct report_file *files[] = { &s->jsonl, &s->csv, &s->hlog, &s->hgrm, &s->json };

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		(void)report_file_close(files[i], -ECANCELED);
}
