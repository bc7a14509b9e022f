/* SPDX-License-Identifier: MIT
 * outputs: opens and closes the files; report_*.c know what stands in them.
 */
#include "outputs.h"

#include <errno.h>
#include <string.h>

#include "echo/base/output.h"
#include "echo/base/program.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"
#include "echoload/result/verdict.h"

static int outputs_fail(struct outputs *s, const struct outfile *f, int e)
{
	if (e < 0 && s->error == 0) {
		s->error = e;
		s->what = f->name;
	}
	return e;
}

/* The name that the configuration gives the file of this format; "" for none. */
static const char *outputs_name(const struct report_format *format, const struct load_config *c)
{
	const char *name = (const char *)c + format->name;

	return name[0] && report_format_of(format->option, name) == format ? name : "";
}

static const char part_word[] = "{part}";

/* Puts the number of this part where {part} stands. Returns 0 or -ENAMETOOLONG. */
static int with_part(char name[PATH_MAX], const char *given, const struct load_config *c)
{
	const unsigned number = c->part.number > 0 ? c->part.number : 1;
	const char *at;
	size_t len = 0;

	name[0] = '\0';
	while ((at = strstr(given, part_word)) && len < PATH_MAX) {
		len += (size_t)snprintf(name + len, PATH_MAX - len, "%.*s%u", (int)(at - given),
					given, number);
		given = at + strlen(part_word);
	}
	if (len < PATH_MAX)
		len += (size_t)snprintf(name + len, PATH_MAX - len, "%s", given);
	return len < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* The name that a file of @phase gets: "run.json" is "run.warm.json" in phase "warm", and itself in
 * none (NULL). Returns 0 or -ENAMETOOLONG. */
static int file_name(char name[PATH_MAX], const char *given, const char *phase)
{
	const char *slash = strrchr(given, '/'), *base = slash ? slash + 1 : given;
	const char *dot = strrchr(base, '.');
	const size_t stem = dot && dot > base ? (size_t)(dot - given) : strlen(given);
	int n = snprintf(name, PATH_MAX, "%.*s%s%s%s", (int)stem, given, phase ? "." : "",
			 phase ? phase : "", given + stem);

	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int outputs_open_one(struct outputs *s, unsigned i, const struct result *r)
{
	const char *given = outputs_name(report_files[i], r->config);
	struct outfile *f = &s->files[i];
	char named[PATH_MAX], name[PATH_MAX];
	int e;

	if (!given[0])
		return 0;
	e = with_part(named, given, r->config);
	if (e == 0)
		e = file_name(name, named, r->phase);
	if (e == 0)
		e = outfile_open(f, name, report_files[i]->followed);
	if (e < 0 && !f->name[0])
		snprintf(f->name, sizeof(f->name), "%s", given);
	return outputs_fail(s, f, e);
}

int outputs_open(struct outputs *s, const struct result *r)
{
	int e = 0;

	*s = (struct outputs){ .what = "" };
	for (unsigned i = 0; i < REPORT_FILE_COUNT && e == 0; i++)
		e = outputs_open_one(s, i, r);
	if (e < 0)
		outputs_drop(s);
	return e;
}

void outputs_start(struct outputs *s, const struct result *r)
{
	s->told = r;
	for (unsigned i = 0; i < REPORT_FILE_COUNT; i++) {
		struct outfile *f = &s->files[i];

		if (f->f && report_files[i]->start)
			outputs_fail(s, f, report_files[i]->start(r, f->f));
	}
}

void outputs_interval(struct outputs *s, const struct interval *interval, const struct hist *h)
{
	for (unsigned i = 0; i < REPORT_FILE_COUNT; i++) {
		struct outfile *f = &s->files[i];

		if (f->f && report_files[i]->interval)
			outputs_fail(s, f, report_files[i]->interval(interval, h, f->f));
	}
}

void outputs_outage(struct outputs *s, unsigned number, const struct outage *o, bool recovered)
{
	for (unsigned i = 0; i < REPORT_FILE_COUNT; i++) {
		struct outfile *f = &s->files[i];

		if (f->f && report_files[i]->outage)
			outputs_fail(s, f, report_files[i]->outage(number, o, recovered, f->f));
	}
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
	for (unsigned i = 0; i < REPORT_FILE_COUNT; i++) {
		struct outfile *f = &s->files[i];

		if (!f->f)
			continue;
		outputs_fail(
			s, f,
			outfile_close(f, report_files[i]->end ? report_files[i]->end(r, f->f) : 0));
		outputs_judge(s, r);
	}
	return s->error;
}

void outputs_drop(struct outputs *s)
{
	for (unsigned i = 0; i < REPORT_FILE_COUNT; i++)
		(void)outfile_close(&s->files[i], -ECANCELED);
}
