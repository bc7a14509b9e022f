/* SPDX-License-Identifier: MIT
 * report: where results go: to standard output, and to the files that are written whole at the end.
 */
#include "report.h"

#include <errno.h>
#include <limits.h>

#include "opts.h"
#include "report_file.h"
#include "result.h"

static int write_hist(const struct result *r, FILE *to)
{
	return report_hgrm(r->latency, to);
}

/* Writes the file that the configuration calls @given. Returns 0, or -errno with *what set. */
static int write_file(const struct result *r, const char *given,
		      int (*print)(const struct result *r, FILE *to), const char **what)
{
	struct report_file file;
	char name[PATH_MAX];
	int e = report_file_name(name, given, r->phase);

	if (e == 0)
		e = report_file_open(&file, name, false);
	if (e == 0)
		e = report_file_close(&file, print(r, file.f));
	if (e < 0)
		*what = given;
	return e;
}

static int write_stdout(const struct result *r)
{
	switch ((enum output_format)r->config->output) {
	case OUTPUT_TEXT:
		report_text(r, stdout);
		if (r->phase)
			fputc('\n', stdout);
		break;
	case OUTPUT_JSON:
		return report_json(r, stdout);
	case OUTPUT_QUIET:
		break;
	}
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		return errno ? -errno : -EIO;
	return 0;
}

int report(const struct result *r, const char **what)
{
	const struct load_config *c = r->config;
	int e = write_stdout(r);

	if (e < 0)
		*what = "standard output";
	if (c->json[0]) {
		int w = write_file(r, c->json, report_json, what);

		e = w < 0 ? w : e;
	}
	if (report_is_hgrm(c->hist)) {
		int w = write_file(r, c->hist, write_hist, what);

		e = w < 0 ? w : e;
	}
	return e;
}
