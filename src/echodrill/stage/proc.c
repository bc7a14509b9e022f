/* SPDX-License-Identifier: MIT
 * proc: one poll over the pipes and pidfds of all programs of a drill.
 */
#include "proc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/lab/process.h"

struct pipes {
	int in[2], out[2], err[2];
};

static void pipes_close(struct pipes *p)
{
	int *fds[] = { p->in, p->out, p->err };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		for (int k = 0; k < 2; k++)
			if (fds[i][k] >= 0)
				close(fds[i][k]);
}

static int pipes_open(struct pipes *p)
{
	*p = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 } };
	if (pipe2(p->in, O_CLOEXEC) == 0 && pipe2(p->out, O_CLOEXEC) == 0 &&
	    pipe2(p->err, O_CLOEXEC) == 0)
		return 0;
	pipes_close(p);
	return -errno;
}

/* Starts it; of the pipes only our ends are left open. */
static pid_t launch(struct pipes *p, int netns, const char *const *argv)
{
	int r = pipes_open(p);
	pid_t pid;

	if (r < 0)
		return r;
	pid = process_start(&(struct process){ .argv = argv,
					       .in = p->in[0],
					       .out = p->out[1],
					       .err = p->err[1],
					       .netns = netns,
					       .keep = PROCESS_SAME });
	if (pid < 0) {
		pipes_close(p);
		return pid;
	}
	close(p->in[0]);
	close(p->out[1]);
	close(p->err[1]);
	fcntl(p->out[0], F_SETFL, O_NONBLOCK);
	fcntl(p->err[0], F_SETFL, O_NONBLOCK);
	return pid;
}

int proc_start(struct proc *p, enum who who, int netns, const char *const *argv)
{
	struct pipes pipes;
	pid_t pid = launch(&pipes, netns, argv);

	if (pid < 0)
		return pid;
	memset(p, 0, sizeof(*p));
	p->who = who;
	p->pid = pid;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	p->stdin_fd = pipes.in[1];
	p->out.fd = pipes.out[0];
	p->err.fd = pipes.err[0];
	p->started_ns = clock_now_ns();
	return 0;
}

void proc_adopt(struct proc *p, pid_t pid)
{
	if (pid == 0)
		return;
	p->pid = pid;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	p->ended = false;
}

/* Whole lines go to the timeline, a line that is too long in pieces. */
static void stream_take(struct proc *p, struct proc_stream *s, struct timeline *t)
{
	int64_t now = clock_now_ns();
	char buf[4096];
	ssize_t n = read(s->fd, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] != '\n')
			s->line[s->len++] = buf[i];
		if (buf[i] == '\n' || s->len == sizeof(s->line) - 1) {
			timeline_add(t, now, p->who, "%.*s", (int)s->len, s->line);
			s->len = 0;
		}
	}
	if (n > 0)
		return;
	if (s->len > 0)
		timeline_add(t, now, p->who, "%.*s", (int)s->len, s->line);
	s->len = 0;
	close(s->fd);
	s->fd = -1;
}

const char *proc_status(const struct proc *p, char text[64])
{
	if (!p->pid)
		snprintf(text, 64, "never started");
	else if (!p->ended)
		snprintf(text, 64, "running");
	else if (WIFSIGNALED(p->status))
		snprintf(text, 64, "killed by SIG%s", sigabbrev_np(WTERMSIG(p->status)));
	else
		snprintf(text, 64, "exit code %d", WEXITSTATUS(p->status));
	return text;
}

static void proc_ended(struct proc *p, int status, struct timeline *t)
{
	char text[64];

	p->ended = true;
	p->status = status;
	p->ended_ns = clock_now_ns();
	/* what it said before it died comes first */
	for (unsigned i = 0; i < 64 && p->out.fd >= 0; i++)
		stream_take(p, &p->out, t);
	for (unsigned i = 0; i < 64 && p->err.fd >= 0; i++)
		stream_take(p, &p->err, t);
	close(p->pidfd);
	p->pidfd = -1;
	proc_hangup(p);
	timeline_add(t, p->ended_ns, p->who, "(%s)", proc_status(p, text));
}

bool proc_has_zombie(void)
{
	siginfo_t info = { .si_pid = 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

void proc_reap(struct proc *procs, unsigned count, struct timeline *t)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned i = 0; i < count; i++)
			if (procs[i].pid == pid && !procs[i].ended)
				proc_ended(&procs[i], status, t);
}

void proc_turn(struct proc *procs, unsigned count, int64_t until_ns, struct timeline *t)
{
	struct pollfd fds[24];
	struct proc_stream *streams[24];
	struct proc *owners[24];
	int64_t wait = until_ns - clock_now_ns();
	struct timespec ts = { 0, 0 };
	nfds_t n = 0;

	assert(count <= ARRAY_LEN(fds) / 3);
	for (unsigned i = 0; i < count; i++) {
		struct proc *p = &procs[i];
		struct proc_stream *s[] = { &p->out, &p->err, NULL };
		int fd[] = { p->out.fd, p->err.fd, p->pidfd };

		for (size_t k = 0; k < ARRAY_LEN(fd) && p->pid; k++) {
			if (fd[k] < 0)
				continue;
			fds[n] = (struct pollfd){ fd[k], POLLIN, 0 };
			owners[n] = p;
			streams[n++] = s[k];
		}
	}
	if (wait > 0)
		ts = (struct timespec){ wait / SEC(1), wait % SEC(1) };
	if (ppoll(fds, n, &ts, NULL) > 0)
		for (nfds_t i = 0; i < n; i++)
			if (fds[i].revents && streams[i])
				stream_take(owners[i], streams[i], t);
}

int proc_type(struct proc *p, const char *line)
{
	char text[PROC_LINE_MAX];
	int n = snprintf(text, sizeof(text), "%s\n", line);

	if (p->stdin_fd < 0)
		return -EPIPE;
	return write(p->stdin_fd, text, (size_t)n) == n ? 0 : -EPIPE;
}

void proc_hangup(struct proc *p)
{
	if (p->stdin_fd >= 0)
		close(p->stdin_fd);
	p->stdin_fd = -1;
}

/* Bounded: a program that never sleeps is exhausted as it is. */
static void proc_await_sleep(pid_t pid)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	for (int i = 0; i < 1000 && !proc_sleeps(pid); i++)
		nanosleep(&ms, NULL);
}

int proc_exhaust(pid_t pid)
{
	struct rlimit limit = { 0, 0 }, now;
	char path[64];

	/* what it has for a moment, to say that it listens, would be free afterwards */
	proc_await_sleep(pid);
	/* the kernel gives the lowest number that is free, if it is below the limit */
	do {
		snprintf(path, sizeof(path), "/proc/%d/fd/%llu", pid,
			 (unsigned long long)limit.rlim_cur);
	} while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
		 ++limit.rlim_cur < 65536);
	limit.rlim_max = limit.rlim_cur;
	if (prlimit(pid, RLIMIT_NOFILE, &limit, NULL) < 0 ||
	    prlimit(pid, RLIMIT_NOFILE, NULL, &now) < 0)
		return -errno;
	return now.rlim_cur == limit.rlim_cur ? 0 : -EIO;
}

int proc_signal_number(const char *name)
{
	for (int i = 1; i < NSIG; i++) {
		const char *known = sigabbrev_np(i);

		if (known && strcmp(known, name) == 0)
			return i;
	}
	return 0;
}

/* Reads to the end of @fd, keeps what fits. Returns false when the time is over. */
static bool read_all(int fd, char *out, size_t size, int64_t until_ns)
{
	size_t len = 0;
	char drop[4096] = "";

	for (;;) {
		struct pollfd p = { fd, POLLIN, 0 };
		int64_t wait = (until_ns - clock_now_ns()) / MSEC(1);
		bool room = len + 1 < size;
		ssize_t n;
		int ready;

		/* what is there counts, even when the time is over */
		ready = poll(&p, 1, wait < 0 ? 0 : (int)wait + 1);
		if (ready == 0 || (ready < 0 && wait < 0))
			return false;
		if (ready < 0)
			continue;
		n = read(fd, room ? out + len : drop, room ? size - 1 - len : sizeof(drop));
		if (n == 0)
			return true;
		if (n > 0 && room)
			len += (size_t)n;
		if (size > 0)
			out[len] = '\0';
	}
}

/* Returns 0, or -errno: who reads it did not get all of it. */
static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		const ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int proc_helper(int netns, const char *const *argv, const char *input, char *out, size_t size,
		int64_t until_ns)
{
	struct pipes p;
	int status = 0, given;
	bool in_time;
	pid_t pid;

	if (size > 0)
		out[0] = '\0';
	pid = launch(&p, netns, argv);
	if (pid < 0)
		return pid;
	/* texts are far smaller than a pipe: this does not block */
	given = input ? write_all(p.in[1], input) : 0;
	close(p.in[1]);
	/* errors first: helpers that fail print nothing else */
	in_time = read_all(p.err[0], out, size, until_ns);
	if (in_time && (size == 0 || out[0] == '\0'))
		in_time = read_all(p.out[0], out, size, until_ns);
	close(p.out[0]);
	close(p.err[0]);
	if (!in_time)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!in_time)
		return -ETIMEDOUT;
	if (!WIFEXITED(status))
		return -ECHILD;
	/* one that failed says why; to one that did all it was asked, it was not all */
	return WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : given;
}
