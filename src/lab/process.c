/* SPDX-License-Identifier: MIT
 * process: fork and exec. A pipe that is closed on exec says why there was none.
 */
#include "echo/lab/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"

static int process_streams(const struct process *p)
{
	const int fds[] = { p->in, p->out, p->err };

	for (int i = 0; i < (int)ARRAY_LEN(fds); i++)
		if (fds[i] != PROCESS_SAME && dup2(fds[i], i) < 0)
			return -errno;
	return p->keep != PROCESS_SAME && fcntl(p->keep, F_SETFD, 0) < 0 ? -errno : 0;
}

/* What one that is tested gets has to find it as it is. Where it runs beside us what we ignore, as
 * under nohup, is not for it either. */
static void process_signals(const struct process *p)
{
	const bool apart = p->group || p->netns != PROCESS_SAME;
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	signal(SIGXFSZ, SIG_DFL);
	for (int number = 1; apart && number < NSIG; number++)
		signal(number, SIG_DFL); /* of two nobody may */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child of @parent. Returns -errno. */
static int process_become(const struct process *p, pid_t parent)
{
	int r;

	if (p->parent_death_signal)
		prctl(PR_SET_PDEATHSIG, p->parent_death_signal);
	if (p->parent_death_signal && getppid() != parent)
		return -ESRCH; /* it died before the call above */
	if (p->group)
		setpgid(0, 0);
	if (p->cpus)
		sched_setaffinity(0, sizeof(*p->cpus), p->cpus); /* or where we may run */
	process_signals(p);
	if (p->netns != PROCESS_SAME && setns(p->netns, CLONE_NEWNET) < 0)
		return -errno;
	r = process_streams(p);
	if (r < 0)
		return r;
	execvp(p->argv[0], (char *const *)(uintptr_t)p->argv);
	return -errno;
}

pid_t process_start(const struct process *p)
{
	const pid_t parent = getpid();
	int told[2], error = 0;
	pid_t pid;

	if (pipe2(told, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		error = process_become(p, parent);
		_exit(write(told[1], &error, sizeof(error)) == sizeof(error) ? 127 : 126);
	}
	error = pid < 0 ? -errno : 0;
	close(told[1]);
	if (pid > 0 && read(told[0], &error, sizeof(error)) > 0)
		waitpid(pid, NULL, 0);
	close(told[0]);
	return error < 0 ? error : pid;
}
