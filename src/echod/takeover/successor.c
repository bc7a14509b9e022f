/* SPDX-License-Identifier: MIT
 * successor: spawned with the signals that we found, and no descriptor but 0 to 2: all others are
 * close-on-exec.
 */
#include "successor.h"

#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/log.h"

extern char **environ;

/* SIGPIPE is ignored by any program of ours, the others by `shutdown = ignore`. */
static void successor_find_defaults(struct successor *s)
{
	static const int ours[] = { SIGTERM, SIGINT };
	struct sigaction found;

	sigemptyset(&s->defaults);
	sigaddset(&s->defaults, SIGPIPE);
	for (unsigned i = 0; i < ARRAY_LEN(ours); i++) {
		if (sigaction(ours[i], NULL, &found) == 0 && found.sa_handler != SIG_IGN)
			sigaddset(&s->defaults, ours[i]);
	}
}

int successor_init(struct successor *s, int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", s->path, sizeof(s->path) - 1);

	s->path[n > 0 ? n : 0] = '\0';
	s->pid = 0;
	s->fd = -1;
	(void)pthread_sigmask(SIG_BLOCK, NULL, &s->mask);
	successor_find_defaults(s);
	s->argv = calloc((size_t)argc + 1, sizeof(*s->argv));
	if (!s->argv)
		return -ENOMEM;
	memcpy(s->argv, argv, (size_t)argc * sizeof(*argv));
	return 0;
}

void successor_fini(struct successor *s)
{
	free(s->argv);
	s->argv = NULL;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static int successor_spawn(struct successor *s)
{
	const char *program = access(s->path, X_OK) == 0 ? s->path : s->argv[0];
	posix_spawnattr_t how;
	int r = posix_spawnattr_init(&how);

	if (r != 0)
		return -r;
	/* these fail only for other arguments than these */
	(void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	(void)posix_spawnattr_setsigmask(&how, &s->mask);
	(void)posix_spawnattr_setsigdefault(&how, &s->defaults);
	r = posix_spawnp(&s->pid, program, NULL, &how, s->argv, environ);
	posix_spawnattr_destroy(&how);
	if (r != 0)
		s->pid = 0;
	return -r;
}

/* Where there is room for it among those that have failed. */
static void successor_set_aside(struct successor *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(s->failed) && s->pid != 0; i++) {
		if (s->failed[i] != 0)
			continue;
		s->failed[i] = s->pid;
		s->pid = 0;
		if (s->fd >= 0)
			close(s->fd);
		s->fd = -1;
	}
}

int successor_start(struct successor *s, pid_t failed)
{
	int r;

	successor_poll(s);
	if (s->pid == failed)
		successor_set_aside(s);
	if (s->pid != 0)
		return -EALREADY;
	r = successor_spawn(s);
	if (r < 0)
		return r;
	s->fd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	return 0;
}

/* Returns whether this process has ended, or is none. */
static bool successor_ended(pid_t pid)
{
	siginfo_t info = { 0 };
	int r;

	if (pid == 0)
		return true;
	r = waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG);
	if (r == 0 && info.si_pid == 0)
		return false;
	/* the fork backend waits for every child, and may have waited for this one */
	if (r < 0)
		log_warn("the successor, process %d, has ended", (int)pid);
	else
		log_warn("the successor, process %d, has ended (%s %d)", (int)pid,
			 info.si_code == CLD_EXITED ? "exit code" : "signal", info.si_status);
	return true;
}

void successor_poll(struct successor *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(s->failed); i++) {
		if (successor_ended(s->failed[i]))
			s->failed[i] = 0;
	}
	if (s->pid == 0 || !successor_ended(s->pid))
		return;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	s->pid = 0;
}
