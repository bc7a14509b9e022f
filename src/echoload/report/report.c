/* SPDX-License-Identifier: MIT
 * report: the formats of results, and the one that standard output gets. Files are outputs.c's.
 */
#include "report.h"

#include <string.h>

#include "echo/base/base.h"
#include "echo/base/output.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"

static const struct report_format report_quiet; /* says nothing */

const struct report_format *const report_files[] = {
#define REPORT_ENTRY(name_) [REPORT_FILE_##name_] = &report_##name_,
	REPORT_FILES(REPORT_ENTRY)
};

static const struct report_format *const printed[] = {
#define REPORT_PRINT_ENTRY(name_) [REPORT_PRINT_##name_] = &report_##name_,
	REPORT_PRINTED(REPORT_PRINT_ENTRY)
};

const char *const report_printed[] = {
#define REPORT_NAME(name_) #name_,
	REPORT_PRINTED(REPORT_NAME) NULL
};

static bool has_suffix(const char *name, const char *suffix)
{
	const size_t len = strlen(name), tail = strlen(suffix);

	return len > tail && strcmp(name + len - tail, suffix) == 0;
}

const struct report_format *report_format_of(const char *option, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(report_files); i++) {
		const struct report_format *f = report_files[i];

		if (strcmp(f->option, option) == 0 && (!f->suffix || has_suffix(name, f->suffix)))
			return f;
	}
	return NULL;
}

int report(const struct result *r)
{
	const struct report_format *f = printed[r->config->output];

	return f->end ? f->end(r, stdout) : 0;
}
