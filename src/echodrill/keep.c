/* SPDX-License-Identifier: MIT
 * keep: what is kept is written to a file without a name first.
 */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echodrill/picture/picture.h"
#include "echodrill/report/report.h"
#include "echodrill/stage/run.h"
#include "opts.h"

enum { PATH_ROOM = OPT_TEXT_MAX + 160 };

/* Writes all of @from. Returns 0 or -errno. */
static int copy_all(int from, int to)
{
	char buf[65536];
	off_t at = 0;
	ssize_t n, w;

	while ((n = pread(from, buf, sizeof(buf), at)) > 0) {
		w = write(to, buf, (size_t)n);
		if (w < 0 && errno != EINTR)
			return -errno;
		at += w > 0 ? w : 0;
	}
	return n < 0 ? -errno : 0;
}

/* Gives a file that has no name this one, in place of what had it. */
static int copy_name(int fd, const char *path)
{
	char self[64], temporary[PATH_ROOM];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (snprintf(temporary, sizeof(temporary), "%s.%d.tmp", path, getpid()) >=
	    (int)sizeof(temporary))
		return -ENAMETOOLONG;
	if (linkat(AT_FDCWD, self, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	if (rename(temporary, path) < 0) {
		const int e = -errno;

		unlink(temporary);
		return e;
	}
	return 0;
}

/* A whole file or none: it gets its name when it is written. What is no plain file, such as
 * /dev/stdout, is written as it is. */
static int copy_file(int from, const char *dir, const char *path)
{
	struct stat st;
	const bool plain = stat(path, &st) < 0 || S_ISREG(st.st_mode);
	const int fd = plain ? open(dir, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0644)
			     : open(path, O_WRONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = copy_all(from, fd);
	if (r == 0 && plain)
		r = copy_name(fd, path);
	close(fd);
	return r;
}

/* The folder of a file: "." where it names none. */
static const char *folder_of(const char *path, char folder[OPT_TEXT_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	snprintf(folder, OPT_TEXT_MAX, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	return folder;
}

static int keep_said(int r, const char *path)
{
	if (r < 0)
		log_error("cannot write %s: %s", path, strerror(-r));
	return r;
}

int keep_pcap(const struct drill_config *c, const struct result *r)
{
	static const char *const sides[] = { "client", "server" };
	char path[PATH_ROOM];
	int e = 0;

	for (unsigned i = 0; c->pcap[0] && e == 0 && i < WIRE_SIDES; i++) {
		snprintf(path, sizeof(path), "%s/%s.%s.pcap", c->pcap, r->file, sides[i]);
		e = keep_said(copy_file(r->run->pcap[i], c->pcap, path), path);
	}
	return e;
}

/* Gives what is in @f its name in @folder, and closes it. */
static int keep_file(FILE *f, int e, const char *folder, const char *path)
{
	if (e == 0 && f)
		e = copy_file(fileno(f), folder, path);
	if (f)
		fclose(f);
	return keep_said(e, path);
}

static int keep_svg(const struct result *r, const char *folder, const char *path)
{
	FILE *f = tmpfile();

	return keep_file(f, f ? picture_svg(r, f) : -errno, folder, path);
}

int keep_picture(const struct drill_config *c, const struct result *r)
{
	char folder[OPT_TEXT_MAX], path[PATH_ROOM];
	int e = 0;

	if (c->svg[0])
		e = keep_svg(r, folder_of(c->svg, folder), c->svg);
	if (e == 0 && c->html[0]) {
		snprintf(path, sizeof(path), "%s/%s.svg", c->html, r->file);
		e = keep_svg(r, c->html, path);
	}
	return e;
}

int keep_index(const struct drill_config *c, const struct summary *at, unsigned count)
{
	char path[PATH_ROOM];
	FILE *f;

	if (!c->html[0])
		return 0;
	snprintf(path, sizeof(path), "%s/index.html", c->html);
	f = tmpfile();
	return keep_file(f, f ? picture_index(at, count, f) : -errno, c->html, path);
}

int keep_check(const struct drill_config *c, unsigned count)
{
	char folder[OPT_TEXT_MAX];
	const char *folders[] = { c->pcap, c->html, c->svg[0] ? folder_of(c->svg, folder) : "" };

	if (c->svg[0] && count > 1) {
		log_error("--svg is the picture of one drill, and these are %u: --html DIR has all",
			  count);
		return EXIT_USAGE;
	}
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		if (!folders[i][0] || access(folders[i], W_OK | X_OK) == 0)
			continue;
		log_error("cannot write to %s: %s", folders[i], strerror(errno));
		return EXIT_ENVIRONMENT;
	}
	return EXIT_OK;
}
