/* SPDX-License-Identifier: MIT
 * report: where results go. A file appears under its name only when it is whole: it is written
 * beside it and renamed. Names that are no plain files (pipes, /dev/stdout) are written as they
 * are.
 */
#include "report.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "opts.h"
#include "result.h"

/* Writes, and closes @f. Returns 0 or -errno. */
static int write_and_close(const struct result *r, FILE *f)
{
	int w = report_json(r, f);

	if (fclose(f) != 0 && w == 0)
		w = -errno;
	return w;
}

static int write_plainly(const struct result *r, const char *name)
{
	FILE *f = fopen(name, "we");

	return f ? write_and_close(r, f) : -errno;
}

static int write_renamed(const struct result *r, const char *name)
{
	char temporary[PATH_MAX];
	FILE *f;
	int w;

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%d.tmp", name, (int)getpid()) >=
	    sizeof(temporary))
		return -ENAMETOOLONG;
	f = fopen(temporary, "wxe");
	if (!f)
		return -errno;
	w = write_and_close(r, f);
	if (w == 0 && rename(temporary, name) < 0)
		w = -errno;
	if (w < 0)
		unlink(temporary);
	return w;
}

static int write_file(const struct result *r, const char *name)
{
	struct stat st;
	bool special = lstat(name, &st) == 0 && !S_ISREG(st.st_mode);

	return special ? write_plainly(r, name) : write_renamed(r, name);
}

static int write_stdout(const struct result *r)
{
	switch ((enum output_format)r->config->output) {
	case OUTPUT_TEXT:
		report_text(r, stdout);
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
	int file = 0, out;

	if (r->config->json[0])
		file = write_file(r, r->config->json);
	out = write_stdout(r);
	if (file < 0) {
		*what = r->config->json;
		return file;
	}
	if (out < 0)
		*what = "standard output";
	return out;
}
