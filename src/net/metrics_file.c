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

static int file_fill(const char *path, const char *text, size_t len)
{
	const mode_t all_read = S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH;
	int fd, r = 0;

	(void)unlink(path); /* what a process of our number left when it was killed */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, all_read);
	if (fd < 0)
		return -errno;
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
	char beside[PATH_MAX];
	size_t len;
	char *text = metrics_text(s, &len);
	int r;

	if (!text)
		return -ENOMEM;
	snprintf(beside, sizeof(beside), "%s.%d.tmp", s->options->file, (int)getpid());
	r = file_fill(beside, text, len);
	free(text);
	if (r == 0 && rename(beside, s->options->file) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(beside);
	return r;
}
