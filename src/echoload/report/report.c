/* SPDX-License-Identifier: MIT
 * report: the result on standard output. Files are outputs.c's.
 */
#include "report.h"

#include <errno.h>

#include "echoload/options/opts.h"
#include "echoload/result/result.h"

int report(const struct result *r)
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
