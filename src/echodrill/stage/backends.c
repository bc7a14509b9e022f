/* SPDX-License-Identifier: MIT
 * backends: a program says with --version which ones it was built with; its --check (echod) or a
 * run that has no target (echoload) says whether one runs.
 */
#include "backends.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/program.h"
#include "echodrill/script/drill.h"

enum { LIST_MAX = 256 };

/* Runs @program of this folder with @args, and takes the beginning of what it says on standard
 * output. Returns its exit code, EXIT_USAGE where it could not be run. */
static int backends_run(const char *program, const char *const args[], char said[LIST_MAX])
{
	char path[PATH_MAX], rest[LIST_MAX];
	int status = 0, ends[2];
	size_t len = 0;
	ssize_t n = 0;
	pid_t pid;

	program_beside(program, path, sizeof(path));
	if (pipe2(ends, O_CLOEXEC) < 0)
		return EXIT_USAGE;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		execv(path, (char *const *)args);
		_exit(127);
	}
	close(ends[1]);
	do {
		n = len + 1 < LIST_MAX ? read(ends[0], said + len, LIST_MAX - 1 - len)
				       : read(ends[0], rest, sizeof(rest));
		len += n > 0 && len + 1 < LIST_MAX ? (size_t)n : 0;
	} while (n > 0);
	said[len] = '\0';
	close(ends[0]);
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return EXIT_USAGE;
	return WEXITSTATUS(status);
}

/* Whether it runs here. */
static bool backends_runs(const char *program, const char *backend)
{
	/* port 1 of this host refuses: whatever comes of it, it is not code 2 or 4 */
	const char *const dial[] = { program, "--backend", backend,       "-n", "1",
				     "-c",    "1",         "127.0.0.1:1", NULL };
	const char *const check[] = { program, "--check", "--backend", backend, NULL };
	char said[LIST_MAX];
	int code = backends_run(program, strcmp(program, "echod") == 0 ? check : dial, said);

	return code != EXIT_USAGE && code != EXIT_ENVIRONMENT && code != 127;
}

void backends_find(struct backend_list *l, const char *program)
{
	static const char head[] = "\nbackends:";
	const char *const version[] = { program, "--version", NULL };
	char said[LIST_MAX], *rest, *name;

	l->count = 0;
	if (backends_run(program, version, said) != EXIT_OK || !(name = strstr(said, head)))
		return;
	for (name = strtok_r(name + sizeof(head) - 1, " \n", &rest);
	     name && l->count < ARRAY_LEN(l->name); name = strtok_r(NULL, " \n", &rest)) {
		snprintf(l->name[l->count], sizeof(l->name[0]), "%s", name);
		l->count += backends_runs(program, name);
	}
}

bool backends_fixed(const struct text_list *options)
{
	for (unsigned i = 0; i < options->count; i++)
		if (strstr(options->at[i], "--backend"))
			return true;
	return false;
}
