/* SPDX-License-Identifier: MIT
 * gnuplot: runs it on a script that is written already, and takes what it draws.
 */
#include "gnuplot.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/log.h"

extern char **environ;

/* What gnuplot inherits: the script, the picture, and no signal that waits here for the end. */
static int spawn_gnuplot(pid_t *pid, int script, int picture)
{
	char name[] = "gnuplot", input[] = "-";
	char *argv[] = { name, input, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t how;
	sigset_t none;
	int e;

	sigemptyset(&none);
	e = posix_spawn_file_actions_init(&actions);
	if (e != 0)
		return -e;
	e = posix_spawnattr_init(&how);
	if (e == 0) {
		(void)posix_spawnattr_setsigmask(&how, &none); /* neither of them can fail */
		(void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
		e = posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
		if (e == 0)
			e = posix_spawn_file_actions_adddup2(&actions, picture, STDOUT_FILENO);
		if (e == 0)
			e = posix_spawnp(pid, name, &actions, &how, argv, environ);
		(void)posix_spawnattr_destroy(&how);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
	return -e;
}

int gnuplot_run(FILE *script, FILE *picture)
{
	int e = 0, status = 0;
	struct stat st;
	pid_t pid = 0;

	if (fflush(script) != 0 || fseek(script, 0, SEEK_SET) < 0)
		e = -errno;
	if (e == 0)
		e = spawn_gnuplot(&pid, fileno(script), fileno(picture));
	if (e == -ENOENT)
		log_error("gnuplot is not installed; Debian: apt-get install gnuplot-nox");
	else if (e < 0)
		log_error("cannot run gnuplot: %s", strerror(-e));
	if (e < 0)
		return e;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (status == 0 &&
	    (fstat(fileno(picture), &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > 0))
		return 0;
	log_error(status ? "gnuplot failed" : "gnuplot drew nothing");
	return -EIO;
}
