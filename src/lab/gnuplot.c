/* SPDX-License-Identifier: MIT
 * gnuplot: runs it on a script that is written already, and takes what it draws. That comes through
 * a pipe: gnuplot does not look whether it could write, and ends well on a full disk.
 */
#include "echo/lab/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/output.h"
#include "echo/lab/process.h"

/* Copies to its end what comes from @fd. Returns how much it was, or -errno. */
static ssize_t gnuplot_copy(int fd, FILE *picture)
{
	char block[16384];
	ssize_t n, total = 0;

	while ((n = read(fd, block, sizeof(block))) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && fwrite(block, 1, (size_t)n, picture) != (size_t)n)
			return errno ? -errno : -EIO;
		total += n > 0 ? n : 0;
	}
	n = output_flush(picture);
	return n < 0 ? n : total;
}

/* Waits for its end. Returns NULL, or what went wrong. */
static const char *gnuplot_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return strerror(errno);
	return status == 0 ? NULL : "gnuplot failed";
}

/* With its output at @out. */
static pid_t gnuplot_start(FILE *script, int out)
{
	static const char *const argv[] = { "gnuplot", "-", NULL };

	return process_start(&(struct process){ .argv = argv,
						.in = fileno(script),
						.out = out,
						.err = PROCESS_SAME,
						.netns = PROCESS_SAME,
						.keep = PROCESS_SAME });
}

const char *gnuplot_run(FILE *script, FILE *picture)
{
	int ends[2] = { -1, -1 };
	const char *wrong;
	ssize_t n;
	pid_t pid;

	n = output_flush(script);
	if (n < 0)
		return strerror((int)-n);
	if (fseek(script, 0, SEEK_SET) < 0 || (picture && pipe2(ends, O_CLOEXEC) < 0))
		return strerror(errno);
	pid = gnuplot_start(script, picture ? ends[1] : STDERR_FILENO);
	if (picture)
		close(ends[1]);
	n = picture && pid > 0 ? gnuplot_copy(ends[0], picture) : 1;
	if (picture)
		close(ends[0]); /* what it would still draw finds nobody */
	if (pid == -ENOENT)
		return "gnuplot is not installed; Debian: apt-get install gnuplot-nox";
	if (pid < 0)
		return "gnuplot cannot be run";
	wrong = gnuplot_wait(pid);
	if (n < 0)
		return strerror((int)-n);
	return wrong || n > 0 ? wrong : "gnuplot drew nothing";
}
