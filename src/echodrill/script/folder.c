/* SPDX-License-Identifier: MIT
 * folder: a folder that cannot be read is not one without files.
 */
#include "folder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/log.h"
#include "echo/base/opt.h"
#include "echo/base/program.h"

/* Whether the search ends: @error is none that another name of the folder would cure. */
static int folder_failed(const char *path, int error)
{
	(void)path;
	errno = error;
	return program_exit_unread(error) == EXIT_ENVIRONMENT;
}

int folder_read(const char *folder, const char *what, glob_t *g)
{
	char pattern[OPT_TEXT_MAX + 8];
	int r;

	snprintf(pattern, sizeof(pattern), "%s/*.conf", folder);
	r = glob(pattern, 0, folder_failed, g);
	if (r == 0)
		return EXIT_OK;
	if (r == GLOB_NOMATCH)
		log_error("no %s in '%s'", what, folder);
	else
		log_error("cannot read '%s': %s", folder,
			  strerror(r == GLOB_NOSPACE ? ENOMEM : errno));
	/* not globfree: without memory glob has freed what it had, and does not say so */
	return r == GLOB_NOMATCH ? EXIT_USAGE : EXIT_ENVIRONMENT;
}
