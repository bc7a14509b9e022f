/* SPDX-License-Identifier: MIT
 * backends: a program says with --version which ones it was built with; its --check (echod) or a
 * run that has no target (echoload) says whether one runs.
 */
#include "backends.h"

#include <errno.h>
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
 * output. Returns its exit code, that of a shell for one that a signal has ended, or -errno: it
 * could not be run. */
static int backends_run(const char *program, const char *const args[], char said[LIST_MAX])
{
	const char *argv[ARGS_MAX] = { NULL };
	char path[PATH_MAX];
	int status = 0, null = open("/dev/null", O_RDWR | O_CLOEXEC),
	    out = memfd_create("out", MFD_CLOEXEC);
	ssize_t n = 0;
	pid_t pid;

	said[0] = '\0';
	if (null < 0 || out < 0) {
		const int e = -errno;

		if (null >= 0)
			close(null);
		return e;
	}
	argv[0] = program_beside(program, path, sizeof(path));
	for (unsigned i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	pid = process_start(&(struct process){ .argv = argv,
					       .in = null,
					       .out = out,
					       .err = null,
					       .netns = PROCESS_SAME,
					       .keep = PROCESS_SAME });
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0)
		n = pread(out, said, LIST_MAX - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	close(out);
	close(null);
	if (pid < 0)
		return pid;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Whether it runs here, or -errno. */
static int backends_runs(const char *program, const char *backend)
{
	/* port 1 of this host refuses: whatever comes of it, it is not code 2 or 4 */
	const char *const dial[] = {
		"--backend", backend, "-n", "1", "-c", "1", "127.0.0.1:1", NULL
	};
	const char *const check[] = { "--check", "--backend", backend, NULL };
	char said[LIST_MAX];
	int code = backends_run(program, strcmp(program, "echod") == 0 ? check : dial, said);

	return code < 0 ? code : code != EXIT_USAGE && code != EXIT_ENVIRONMENT;
}

/* Returns @r, with the reason in @why. */
static int backends_unknown(int r, const char *program, char why[OPT_ERROR_MAX])
{
	snprintf(why, OPT_ERROR_MAX, "cannot ask %s for its backends: %s", program, strerror(-r));
	return r;
}

/* As backends_unknown, of what --version has ended with. */
static int backends_mute(int code, const char *program, char why[OPT_ERROR_MAX])
{
	if (code < 0)
		return backends_unknown(code, program, why);
	snprintf(why, OPT_ERROR_MAX, "%s --version names no backends (exit code %d)", program,
		 code);
	return -EPROTO;
}

int backends_find(struct backend_list *l, const char *program, char why[OPT_ERROR_MAX])
{
	static const char head[] = "\nbackends:";
	const char *const version[] = { "--version", NULL };
	char said[LIST_MAX], *rest, *name;
	int r = backends_run(program, version, said);

	l->count = 0;
	if (r != EXIT_OK || !(name = strstr(said, head)))
		return backends_mute(r, program, why);
	for (name = strtok_r(name + sizeof(head) - 1, " \n", &rest);
	     name && l->count < ARRAY_LEN(l->name); name = strtok_r(NULL, " \n", &rest)) {
		snprintf(l->name[l->count], sizeof(l->name[0]), "%s", name);
		r = backends_runs(program, name);
		if (r < 0)
			return backends_unknown(r, program, why);
		l->count += r > 0;
	}
	if (l->count > 0)
		return 0;
	/* its own reason may be another, as a variable of its environment that is wrong */
	snprintf(why, OPT_ERROR_MAX, "%s runs with none of its backends here", program);
	return -ENOTSUP;
}

bool backends_fixed(const struct text_list *options)
{
	for (unsigned i = 0; i < options->count; i++)
		if (strstr(options->at[i], "--backend"))
			return true;
	return false;
}
