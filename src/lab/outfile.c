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

enum { BESIDE_MAX = 100 };

/* Signals that end this program are blocked until main looks for them: else half a file is left. */
static void outfile_hold_signals(void)
{
	sigset_t mask;

	stop_signals(&mask);
	(void)pthread_sigmask(SIG_BLOCK, &mask, NULL); /* cannot fail */
}

/* Beside the name. What has such a name is another's: one that was killed has left it, and in a
 * container all have the same number. */
static int outfile_open_beside(struct outfile *r)
{
	for (unsigned i = 0; i < BESIDE_MAX && !r->f; i++) {
		if (snprintf(r->temporary, sizeof(r->temporary), "%s.%d%s%.0u.tmp", r->name,
			     (int)getpid(), i > 0 ? "-" : "", i) >= PATH_MAX)
			return -ENAMETOOLONG;
		outfile_hold_signals();
		r->f = fopen(r->temporary, "wxe");
		if (!r->f && errno != EEXIST)
			break;
	}
	return r->f ? 0 : -errno;
}

int outfile_open(struct outfile *r, const char *name, bool in_place)
{
	struct stat st;
	const bool special = lstat(name, &st) == 0 && !S_ISREG(st.st_mode);

	*r = (struct outfile){ .f = NULL };
	if (snprintf(r->name, sizeof(r->name), "%s", name) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!in_place && !special)
		return outfile_open_beside(r);
	r->f = output_open(name);
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
