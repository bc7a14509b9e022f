/* SPDX-License-Identifier: MIT
 * gnuplot: runs it on a script that is written already, and takes what it draws.
 */
#include "echo/lab/gnuplot.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/lab/process.h"

const char *gnuplot_run(FILE *script, FILE *picture)
{
	static const char *const argv[] = { "gnuplot", "-", NULL };
	int status = 0;
	struct stat st;
	pid_t pid;

	if (fflush(script) != 0 || fseek(script, 0, SEEK_SET) < 0)
		return strerror(errno);
	pid = process_start(&(struct process){ .argv = argv,
					       .in = fileno(script),
					       .out = picture ? fileno(picture) : STDERR_FILENO,
					       .err = PROCESS_SAME,
					       .netns = PROCESS_SAME,
					       .keep = PROCESS_SAME });
	if (pid == -ENOENT)
		return "gnuplot is not installed; Debian: apt-get install gnuplot-nox";
	if (pid < 0)
		return "gnuplot cannot be run";
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return strerror(errno);
	if (status != 0)
		return "gnuplot failed";
	if (picture && fstat(fileno(picture), &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0)
		return "gnuplot drew nothing";
	return NULL;
}
