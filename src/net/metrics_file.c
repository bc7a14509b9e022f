/* SPDX-License-Identifier: MIT
 * metrics_file: the text as a file, for node_exporter's textfile collector, which may read it at
 * any time: it is written beside the old one, under a name that the collector passes over, and
 * takes that one's place whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "echo/net/metrics_server.h"
#include "metrics_private.h"

static void file_beside(const char *path, char beside[PATH_MAX])
{
	snprintf(beside, PATH_MAX, "%s.%d.tmp", path, (int)getpid());
}

int metrics_file_begin(const char *path)
{
	const mode_t all_read = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
	char beside[PATH_MAX];
	int fd;

	file_beside(path, beside);
	(void)unlink(beside); /* what a process of our number left when it was killed */
	fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, all_read);
	return fd < 0 ? -errno : fd;
}

int metrics_file_end(const char *path, bool keep)
{
	char beside[PATH_MAX];
	int r = 0;

	file_beside(path, beside);
	if (keep && rename(beside, path) < 0)
		r = -errno;
	if (!keep || r < 0)
		(void)unlink(beside);
	return r;
}

/* Closes it, too. */
static int file_fill(int fd, const char *text, size_t len)
{
	int r = 0;

	while (len > 0 && r == 0) {
		ssize_t n = write(fd, text, len);

		if (n > 0) {
			text += n;
			len -= (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			r = n == 0 ? -ENOSPC : -errno;
		}
	}
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r;
}

int metrics_file_write(const struct metrics_server *s)
{
	const char *path = s->options->file;
	size_t len;
	char *text = metrics_text(s, &len);
	int fd, r, end;

	if (!text)
		return -ENOMEM;
	r = fd = s->file_begin ? s->file_begin(s->arg) : metrics_file_begin(path);
	if (fd >= 0) {
		r = file_fill(fd, text, len);
		end = s->file_end ? s->file_end(s->arg, r == 0) : metrics_file_end(path, r == 0);
		r = r < 0 ? r : end;
	}
	free(text);
	return r;
}
