/* SPDX-License-Identifier: MIT
 * backends: `--check` (echod) or a run that has no target (echoload) says whether a backend runs.
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

static const char *const known[] = { "io_uring", "epoll", "fork" };

/* Its exit code, of a program beside this one; what it prints is nobody's business. */
static int backends_ask(const char *program, const char *backend)
{
	bool server = strcmp(program, "echod") == 0;
	char path[PATH_MAX];
	int status = 0;
	pid_t pid;

	program_beside(program, path, sizeof(path));
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, 1);
		dup2(null, 2);
		/* port 1 of this host refuses: whatever comes of it, it is not code 2 or 4 */
		if (server)
			execlp(path, program, "--check", "--backend", backend, NULL);
		execlp(path, program, "--backend", backend, "-n", "1", "-c", "1", "127.0.0.1:1",
		       NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
		return EXIT_USAGE;
	return WEXITSTATUS(status);
}

void backends_find(struct backend_list *l, const char *program)
{
	l->count = 0;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		int code = backends_ask(program, known[i]);

		if (code != EXIT_USAGE && code != EXIT_ENVIRONMENT && code != 127)
			l->name[l->count++] = known[i];
	}
}

bool backends_fixed(const struct text_list *options)
{
	for (unsigned i = 0; i < options->count; i++)
		if (strstr(options->at[i], "--backend"))
			return true;
	return false;
}
