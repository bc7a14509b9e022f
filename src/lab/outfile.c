/* SPDX-License-Identifier: MIT
 * outfile: a file is written beside its name and renamed, so that nobody reads half of one.
 */
#include "echo/lab/outfile.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/base/output.h"
#include "echo/base/stop.h"

/* Signals that end this program are blocked until main looks for them: else half a file is left. */
static void outfile_hold_signals(void)
{
	sigset_t mask;

	stop_signals(&mask);
	(void)pthread_sigmask(SIG_BLOCK, &mask, NULL); /* cannot fail */
}

int outfile_open(struct outfile *r, const char *name, bool in_place)
{
	struct stat st;
	const bool special = lstat(name, &st) == 0 && !S_ISREG(st.st_mode);
	int n;

	*r = (struct outfile){ .f = NULL };
	n = snprintf(r->name, sizeof(r->name), "%s", name);
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!in_place && !special)
		n = snprintf(r->temporary, sizeof(r->temporary), "%s.%d.tmp", name, (int)getpid());
	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	if (r->temporary[0])
		outfile_hold_signals();
	r->f = r->temporary[0] ? fopen(r->temporary, "wxe") : output_open(name);
	return r->f ? 0 : -errno;
}

int outfile_close(struct outfile *r, int e)
{
	if (!r->f)
		return e;
	errno = 0;
	if (ferror(r->f) && e == 0)
		e = -EIO;
	if (fclose(r->f) != 0 && e == 0)
		e = errno ? -errno : -EIO;
	r->f = NULL;
	if (!r->temporary[0])
		return e;
	if (e == 0 && rename(r->temporary, r->name) < 0)
		e = -errno;
	if (e < 0)
		unlink(r->temporary);
	return e;
}
