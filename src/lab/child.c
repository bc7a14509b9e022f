/* SPDX-License-Identifier: MIT
 * child: starts, awaits and ends programs under measurement.
 */
#include "echo/lab/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/output.h"
#include "echo/base/stop.h"
#include "echo/lab/process.h"

/* What a keeper is told: to ask all that it keeps to end, and to end them. */
enum { KEEPER_ASK = SIGTERM, KEEPER_END = SIGUSR1 };

static int stop_signal; /* one flag for the process, as its signals are */

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

/* Whether the shell would find a program of that name. */
static bool is_in_path(const char *name)
{
	const char *path = getenv("PATH");
	char file[2 * PATH_MAX];

	if (strchr(name, '/'))
		return access(name, X_OK) == 0;
	for (path = path ? path : ""; *path; path += strspn(path, ":")) {
		size_t n = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/%s", (int)size_min(n, PATH_MAX - 1), path, name);
		if (access(file, X_OK) == 0)
			return true;
		path += n;
	}
	return false;
}

bool child_is_program(const char *command)
{
	char name[PATH_MAX];

	/* builtins that change the shell, assignments and keywords are no programs */
	command += strspn(command, " ");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(command, " "), command);
	return name[0] && !strpbrk(command, ";&|()\n`") && !strpbrk(name, "$'\"\\=") &&
	       is_in_path(name);
}

/* Lets a shell run it. Returns its pid or -errno. */
static pid_t child_run(const struct child *c, const char *command, const cpu_set_t *cpus, int keep)
{
	char *line = NULL;
	int n = asprintf(&line, "%s%s", child_is_program(command) ? "exec " : "", command);
	const char *const argv[] = { "/bin/sh", "-c", line, NULL };
	const struct process p = {
		.argv = argv,
		.in = PROCESS_SAME,
		.out = c->out,
		.err = c->err,
		.netns = PROCESS_SAME,
		.keep = keep,
		.cpus = cpus,
		.parent_death_signal = SIGKILL, /* if its keeper is killed */
		.group = true,
	};
	pid_t pid = n < 0 ? -ENOMEM : process_start(&p);

	if (n >= 0)
		free(line);
	return pid;
}

/* ---- the keeper: a process between us and a command, from which nothing of that gets away ---- */

/* Sends a signal to the command's group, and to orphans that have left it: those are our children
 * by now (needs CONFIG_PROC_CHILDREN). */
static void keeper_signal(pid_t group, int number)
{
	char path[64];
	pid_t pid;
	FILE *f;

	kill(-group, number);
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	while (f && fscanf(f, "%d", &pid) == 1)
		if (getpgid(pid) != group)
			kill(pid, number);
	if (f)
		fclose(f);
}

/* Ends as the command did. */
static __attribute__((noreturn)) void keeper_exit(int status)
{
	const struct rlimit none = { 0, 0 };
	sigset_t set;

	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	setrlimit(RLIMIT_CORE, &none); /* the core, if any, is the command's */
	signal(WTERMSIG(status), SIG_DFL);
	sigemptyset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	raise(WTERMSIG(status));
	_exit(128 + WTERMSIG(status));
}

/* Until the command and all that it has started have ended. */
static __attribute__((noreturn)) void keeper_wait(pid_t command, const sigset_t *signals)
{
	int status = 0, its = 0, number = SIGCHLD;
	bool end = false;
	pid_t pid;

	for (;;) {
		end |= number == KEEPER_END;
		if (end)
			keeper_signal(command, SIGKILL);
		else if (number == KEEPER_ASK)
			keeper_signal(command, SIGTERM);
		/* what is killed hands us its children, which are killed then */
		while ((pid = waitpid(-1, &status, end ? 0 : WNOHANG)) > 0) {
			if (pid == command)
				its = status;
			if (end)
				keeper_signal(command, SIGKILL);
		}
		if (pid < 0 && errno == ECHILD)
			keeper_exit(its);
		number = sigwaitinfo(signals, NULL);
	}
}

/* @told: a pipe that takes the pid of the command; @parent: who has forked us */
static __attribute__((noreturn)) void keeper_run(const struct child *c, const char *command,
						 const cpu_set_t *cpus, int keep, int told,
						 pid_t parent)
{
	sigset_t all;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_PDEATHSIG, KEEPER_END);
	if (getppid() != parent)
		_exit(127); /* it died before the call above */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	setpgid(0, 0); /* what a terminal sends is not for it */
	pid = child_run(c, command, cpus, keep);
	if (pid < 0)
		_exit(127);
	if (write(told, &pid, sizeof(pid)) != sizeof(pid))
		_exit(127);
	/* what others hold the ends of must not stay open because of us */
	close_range(STDERR_FILENO + 1, ~0U, 0);
	keeper_wait(pid, &all);
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

/* Starts the keeper, which says what the command's pid is. Returns 0 or -errno. */
static int child_start_keeper(struct child *c, const char *command, const cpu_set_t *cpus, int keep)
{
	const pid_t parent = getpid();
	int ends[2], r = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	c->keeper = fork();
	if (c->keeper == 0)
		keeper_run(c, command, cpus, keep, ends[1], parent);
	if (c->keeper < 0)
		r = -errno;
	close(ends[1]);
	if (r == 0 && read(ends[0], &c->pid, sizeof(c->pid)) != sizeof(c->pid)) {
		r = -EAGAIN; /* it could not fork either */
		waitpid(c->keeper, NULL, 0);
	}
	close(ends[0]);
	return r;
}

int child_start_with(struct child *c, const char *command, const cpu_set_t *cpus, int keep)
{
	int r;

	*c = (struct child){ .out = memfd_create("out", MFD_CLOEXEC),
			     .err = memfd_create("err", MFD_CLOEXEC) };
	r = c->out < 0 || c->err < 0 ? -errno : child_start_keeper(c, command, cpus, keep);
	if (r < 0) {
		child_close(c);
		c->keeper = c->pid = 0;
	}
	c->started = r == 0;
	return r;
}

int child_wait(struct child *c, int64_t timeout_ns)
{
	int64_t end_ns = clock_now_ns() + timeout_ns;
	sigset_t set = child_signals();

	while (waitpid(c->keeper, &c->status, WNOHANG) == 0) {
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
	c->keeper = c->pid = 0;
	return 0;
}

void child_stop(struct child *c, int64_t patience_ns)
{
	static const int signals[] = { KEEPER_ASK, KEEPER_END };

	if (!c->started)
		return;
	for (size_t i = 0; i < ARRAY_LEN(signals) && c->keeper > 0; i++) {
		int r;

		kill(c->keeper, signals[i]);
		do
			r = child_wait(c, i == 0 ? patience_ns : SEC(10));
		while (r == -EINTR); /* we are stopping already */
	}
	child_close(c);
	c->started = false;
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

	/* a whole line: the address may still be half written; behind one stands ',', ':' or
	 * nothing */
	if (at && strchr(at, '\n') &&
	    regcomp(&re, "([0-9]+(\\.[0-9]+){3}|\\[[0-9a-f:.]+\\]):[0-9]+|unix:[^ \n]*[^ ,:\n]",
		    REG_EXTENDED) == 0) {
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
	struct output_text b;
	const char *at;

	if (output_text_open(&b) < 0)
		return NULL;
	for (; (at = strstr(text, word)); text = at + strlen(word))
		fprintf(b.to, "%.*s%s", (int)(at - text), text, by);
	fprintf(b.to, "%s", text);
	return output_text_close(&b) == 0 ? b.text : NULL;
}
