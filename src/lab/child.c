/* SPDX-License-Identifier: MIT
 * child: starts, awaits and ends programs under measurement.
 */
#include "echo/lab/child.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/stop.h"

enum { GROUPS_MAX = 256 };

static int stop_signal; /* one flag for the process, as its signals are */

/* The process that outlives us when we are killed, and kills what we have started. */
static struct {
	pid_t pid;  /* 0: not started */
	pid_t user; /* whose it is */
	int socket; /* process groups: n, running; -n, has ended */
} guard;

static sigset_t child_signals(void)
{
	sigset_t set;

	stop_signals(&set);
	sigaddset(&set, SIGCHLD);
	return set;
}

void child_block_signals(void)
{
	sigset_t set = child_signals();

	stop_signal = 0;
	sigprocmask(SIG_BLOCK, &set, NULL);
}

void child_unblock_signals(void)
{
	sigset_t set = child_signals();

	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int child_stop_signal(void)
{
	static const struct timespec now;
	sigset_t set;
	int sig;

	stop_signals(&set);
	sig = sigtimedwait(&set, NULL, &now); /* one that came while nobody waited */
	if (sig > 0)
		stop_signal = sig;
	return stop_signal;
}

/* Keeps the list of groups until the other end is closed, by whatever cause. */
static __attribute__((noreturn)) void guard_run(int fd)
{
	pid_t groups[GROUPS_MAX], said;
	unsigned count = 0;

	while (read(fd, &said, sizeof(said)) == sizeof(said)) {
		unsigned i = 0;

		while (i < count && groups[i] != abs(said))
			i++;
		if (said < 0 && i < count)
			groups[i] = groups[--count];
		else if (said > 0 && i == count && count < GROUPS_MAX)
			groups[count++] = said;
	}
	for (unsigned i = 0; i < count; i++)
		kill(-groups[i], SIGKILL);
	_exit(0);
}

static void guard_end(void)
{
	if (guard.pid <= 0 || guard.user != getpid())
		return;
	close(guard.socket);
	waitpid(guard.pid, NULL, 0);
	guard.pid = 0;
}

/* Starts it, once. Without it children still die with us, but not what those have started. */
static void guard_start(void)
{
	sigset_t all;
	int ends[2];

	if (guard.pid > 0 && guard.user == getpid())
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return;
	guard.pid = fork();
	if (guard.pid == 0) {
		/* what others hold the ends of must not stay open because of us */
		if (ends[0] > 3)
			close_range(3, (unsigned)ends[0] - 1, 0);
		close_range((unsigned)ends[0] + 1, ~0U, 0);
		setsid(); /* what a terminal sends is not for us */
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		guard_run(ends[0]);
	}
	close(ends[0]);
	guard.user = getpid();
	guard.socket = ends[1];
	if (guard.pid < 0)
		close(ends[1]);
	else
		atexit(guard_end);
}

static void guard_tell(pid_t group)
{
	/* if somebody killed it, so be it */
	if (guard.pid > 0)
		(void)send(guard.socket, &group, sizeof(group), MSG_NOSIGNAL);
}

static __attribute__((noreturn)) void child_run(const struct child *c, const char *line,
						const cpu_set_t *cpus, int keep, pid_t parent)
{
	sigset_t set = child_signals();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* it died before the call above */
	setpgid(0, 0);
	guard_tell(getpid());
	if (cpus)
		sched_setaffinity(0, sizeof(*cpus), cpus);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	if (keep >= 0)
		fcntl(keep, F_SETFD, 0);
	dup2(c->out, STDOUT_FILENO);
	dup2(c->err, STDERR_FILENO);
	execl("/bin/sh", "sh", "-c", line, (char *)NULL);
	_exit(127);
}

static void child_close(struct child *c)
{
	if (c->out >= 0)
		close(c->out);
	if (c->err >= 0)
		close(c->err);
	c->out = c->err = -1;
}

int child_start(struct child *c, const char *command, const cpu_set_t *cpus)
{
	return child_start_with(c, command, cpus, -1);
}

int child_start_with(struct child *c, const char *command, const cpu_set_t *cpus, int keep)
{
	/* no shell in between where one command is all: it would die with us, the command not */
	bool plain = !strpbrk(command, ";&|()\n");
	pid_t self = getpid();
	char *line = NULL;
	int r = 0;

	*c = (struct child){ .out = memfd_create("out", MFD_CLOEXEC),
			     .err = memfd_create("err", MFD_CLOEXEC) };
	if (c->out < 0 || c->err < 0 ||
	    asprintf(&line, "%s%s", plain ? "exec " : "", command) < 0) {
		r = -errno;
		goto out;
	}
	guard_start();
	c->pid = fork();
	if (c->pid == 0)
		child_run(c, line, cpus, keep, self);
	if (c->pid < 0) {
		r = -errno;
		c->pid = 0;
		goto out;
	}
	c->group = c->pid;
	setpgid(c->pid, c->pid); /* whoever is first */
out:
	free(line);
	if (r < 0)
		child_close(c);
	return r;
}

int child_wait(struct child *c, int64_t timeout_ns)
{
	int64_t end_ns = clock_now_ns() + timeout_ns;
	sigset_t set = child_signals();

	while (waitpid(c->pid, &c->status, WNOHANG) == 0) {
		int64_t left_ns = end_ns - clock_now_ns();
		struct timespec left = { left_ns / SEC(1), left_ns % SEC(1) };
		int sig;

		if (left_ns <= 0)
			return -ETIME;
		sig = sigtimedwait(&set, NULL, &left);
		if (sig > 0 && sig != SIGCHLD) {
			stop_signal = sig;
			return -EINTR;
		}
	}
	c->pid = 0;
	return 0;
}

void child_stop(struct child *c, int64_t patience_ns)
{
	static const int signals[] = { SIGTERM, SIGKILL };

	if (c->group <= 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(signals) && c->pid > 0; i++) {
		int r;

		kill(-c->group, signals[i]);
		do
			r = child_wait(c, i == 0 ? patience_ns : SEC(10));
		while (r == -EINTR); /* we are stopping already */
	}
	kill(-c->group, SIGKILL); /* children that outlived it */
	guard_tell(-c->group);
	child_close(c);
	c->group = 0;
}

char *child_text(int fd)
{
	off_t len = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)(len > 0 ? len : 0) + 1);

	if (text && len > 0 && pread(fd, text, (size_t)len, 0) < 0)
		*text = '\0';
	return text;
}

bool child_address(int fd, char *addr, size_t size)
{
	char *text = child_text(fd), *at = text ? strstr(text, "listening") : NULL;
	regmatch_t m[1];
	regex_t re;
	bool found = false;

	/* a whole line: the address may still be half written */
	if (at && strchr(at, '\n') &&
	    regcomp(&re, "([0-9]+(\\.[0-9]+){3}|\\[[0-9a-f:.]+\\]):[0-9]+", REG_EXTENDED) == 0) {
		if (regexec(&re, at, 1, m, 0) == 0) {
			snprintf(addr, size, "%.*s", (int)(m[0].rm_eo - m[0].rm_so),
				 at + m[0].rm_so);
			found = true;
		}
		regfree(&re);
	}
	free(text);
	return found;
}

char *child_replace(const char *text, const char *word, const char *by)
{
	size_t len;
	char *out = NULL;
	FILE *f = open_memstream(&out, &len);
	const char *at;

	if (!f)
		return NULL;
	for (; (at = strstr(text, word)); text = at + strlen(word))
		fprintf(f, "%.*s%s", (int)(at - text), text, by);
	fprintf(f, "%s", text);
	fclose(f);
	return out;
}
