/* SPDX-License-Identifier: MIT
 * child: starts, awaits and ends programs under measurement.
 */
#include "echo/child.h"

#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "echo/base.h"
#include "echo/clock.h"

static int stop_signal; /* one flag for the process, as its signals are */

static sigset_t child_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	return set;
}

void child_block_signals(void)
{
	sigset_t set = child_signals();

	sigprocmask(SIG_BLOCK, &set, NULL);
}

int child_stop_signal(void)
{
	return stop_signal;
}

static __attribute__((noreturn)) void child_run(const struct child *c, const char *line,
						const cpu_set_t *cpus, pid_t parent)
{
	sigset_t set = child_signals();

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* it died before the call above */
	setpgid(0, 0);
	if (cpus)
		sched_setaffinity(0, sizeof(*cpus), cpus);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
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
	c->pid = fork();
	if (c->pid == 0)
		child_run(c, line, cpus, self);
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
		if (sig == SIGINT || sig == SIGTERM) {
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
