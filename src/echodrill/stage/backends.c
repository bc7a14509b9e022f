/* SPDX-License-Identifier: MIT
 * backends: a program says with --version which ones it was built with; its --check (echod) or a
 * run that has no target (echoload) says whether one runs.
 */
#include "backends.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/program.h"
#include "echo/lab/process.h"
#include "echodrill/script/drill.h"

enum { LIST_MAX = 256, ARGS_MAX = 16 };

/* Runs @program of this folder with @args, and takes the beginning of what it says on standard
 * output. Returns its exit code, EXIT_USAGE where it could not be run. */
static int backends_run(const char *program, const char *const args[], char said[LIST_MAX])
{
	const char *argv[ARGS_MAX] = { NULL };
	char path[PATH_MAX];
	int status = 0, null = open("/dev/null", O_RDWR | O_CLOEXEC),
	    out = memfd_create("out", MFD_CLOEXEC);
	ssize_t n = 0;
	pid_t pid;

	argv[0] = program_beside(program, path, sizeof(path));
	for (unsigned i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	pid = process_start(&(struct process){ .argv = argv,
					       .in = null,
					       .out = out,
					       .err = null,
					       .netns = PROCESS_SAME,
					       .keep = PROCESS_SAME });
	if (pid > 0 && waitpid(pid, &status, 0) == pid)
		n = pread(out, said, LIST_MAX - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	close(out);
	close(null);
	return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_USAGE;
}

/* Whether it runs here. */
static bool backends_runs(const char *program, const char *backend)
{
	/* port 1 of this host refuses: whatever comes of it, it is not code 2 or 4 */
	const char *const dial[] = {
		"--backend", backend, "-n", "1", "-c", "1", "127.0.0.1:1", NULL
	};
	const char *const check[] = { "--check", "--backend", backend, NULL };
	char said[LIST_MAX];
	int code = backends_run(program, strcmp(program, "echod") == 0 ? check : dial, said);

	return code != EXIT_USAGE && code != EXIT_ENVIRONMENT;
}

void backends_find(struct backend_list *l, const char *program)
{
	static const char head[] = "\nbackends:";
	const char *const version[] = { "--version", NULL };
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
