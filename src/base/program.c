/* SPDX-License-Identifier: MIT
 * program: what every program of echolab answers about itself.
 */
#include "echo/base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/log.h"
#include "echo/base/output.h"
#include "version.h"

const char *program_folder(void)
{
	static char folder[PATH_MAX];
	const char *path;
	ssize_t n;
	char *slash;

	if (folder[0])
		return folder;
	n = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	folder[n > 0 ? n : 0] = '\0';
	/* without /proc: what execve(2) was given, which is not what argv[0] says */
	path = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	if (n <= 0 && (!path || !realpath(path, folder)))
		folder[0] = '\0';
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	return folder;
}

void program_begin(const char *name)
{
	FILE *out;

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)open("/dev/null", O_RDONLY); /* gets the lowest number that is free */
	out = output_stream(STDOUT_FILENO);
	if (out)
		stdout = out;
	signal(SIGCHLD, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN);
	log_init(name);
	program_folder();
}

const char *program_version(void)
{
	return ECHOLAB_VERSION;
}

const char *program_commit(void)
{
	return ECHOLAB_COMMIT;
}

char *program_beside(const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s", program_folder(), name);
	if (access(path, X_OK) < 0)
		snprintf(path, size, "%s", name);
	return path;
}

bool program_is_there(const char *name)
{
	const char *path = getenv("PATH");
	char full[OPT_TEXT_MAX * 4];

	if (strchr(name, '/'))
		return access(name, X_OK) == 0;
	while (path && *path) {
		const int n = (int)strcspn(path, ":");

		snprintf(full, sizeof(full), "%.*s/%s", n, path, name);
		if (access(full, X_OK) == 0)
			return true;
		path += n + (path[n] == ':');
	}
	return false;
}

int program_configs(const char *name, char path[OPT_TEXT_MAX])
{
	/* beside build/VARIANT/PROGRAM, and beside PREFIX/bin/PROGRAM */
	static const char *const places[] = { "../../configs", "../share/echolab/configs" };

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		snprintf(path, OPT_TEXT_MAX, "%.160s/%s/%.40s", program_folder(), places[i], name);
		if (access(path, R_OK | X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

bool program_answer(const struct opt_set *s, const struct program_options *o)
{
	if (o->help)
		opt_print_help(s, stdout);
	else if (o->version)
		printf("%s %s\n%s%s", s->program, program_version(), s->features,
		       s->features[0] ? "\n" : "");
	else if (o->man)
		opt_print_man(s, stdout);
	else if (o->completion != OPT_SHELL_NONE)
		opt_print_completion(s, (enum opt_shell)o->completion, stdout);
	else if (o->print_config)
		opt_print_config(s, stdout);
	else
		return false;
	return true;
}

int program_exit_unread(int e)
{
	switch (e) {
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOSPC:
	case EIO:
		return EXIT_ENVIRONMENT;
	}
	return EXIT_USAGE;
}

int program_exit(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	log_error("cannot write to standard output: %s", output_strerror(errno));
	return EXIT_ENVIRONMENT;
}
