/* SPDX-License-Identifier: MIT
 * ns: two processes. The outer one enters the namespaces, the inner one is process 1 of the new PID
 * namespace: when it dies the kernel kills all others in it. Each asks for SIGKILL at its parent's
 * death, so the chain from echodrill to the last program of a drill cannot be cut.
 */
#include "ns.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices.h"
#include "echo/base/program.h"

enum { NS_FLAGS = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS };

static int __attribute__((format(printf, 2, 3))) ns_fail(struct ns_why *why, const char *fmt, ...)
{
	int err = errno;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(why->text, sizeof(why->text), fmt, args);
	va_end(args);
	if (n >= 0 && n < NS_WHY_MAX)
		snprintf(why->text + n, sizeof(why->text) - (size_t)n, ": %s", strerror(err));
	return -1;
}

/* Dies with its parent. @alive is the read end of a pipe that the parent holds: it tells of a
 * parent that died before we could ask (getppid cannot, across PID namespaces). */
static void ns_follow(int alive)
{
	struct pollfd p = { alive, POLLIN, 0 };

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (poll(&p, 1, 0) != 0)
		_exit(EXIT_INTERNAL);
}

static int ns_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

/* Root inside is the user outside, and nobody else exists. */
static int ns_map_user(uid_t uid, gid_t gid, struct ns_why *why)
{
	char map[64];

	snprintf(map, sizeof(map), "0 %u 1", (unsigned)uid);
	if (ns_write("/proc/self/uid_map", map) < 0)
		return ns_fail(why, "cannot map user %u", (unsigned)uid);
	if (ns_write("/proc/self/setgroups", "deny") < 0)
		return ns_fail(why, "cannot give up groups");
	snprintf(map, sizeof(map), "0 %u 1", (unsigned)gid);
	if (ns_write("/proc/self/gid_map", map) < 0)
		return ns_fail(why, "cannot map group %u", (unsigned)gid);
	return 0;
}

/* "/" of a chroot is a folder like others, not the root of a mount. */
static bool ns_chrooted(void)
{
	struct statx x = { 0 };

	return statx(AT_FDCWD, "/", 0, 0, &x) == 0 &&
	       (x.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) &&
	       !(x.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* What would help where the kernel said @err. */
static const char *ns_advice(uid_t uid, int err)
{
	if (err == ENOSPC)
		return "user.max_user_namespaces";
	if (uid == 0)
		return "root lacks CAP_SYS_ADMIN, or a seccomp filter refuses: a container needs "
		       "--privileged";
	if (ns_chrooted())
		return "in a chroot only to root";
	return "ask as root, or allow users to make them";
}

static int ns_enter(struct ns_why *why)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	/* a root without CAP_SYS_ADMIN, as in containers, is a user like others */
	if (uid == 0 && unshare(NS_FLAGS) == 0)
		return 0;
	if (unshare(CLONE_NEWUSER | NS_FLAGS) < 0)
		return ns_fail(why, "this kernel gives no private namespaces (%s)",
			       ns_advice(uid, errno));
	return ns_map_user(uid, gid, why);
}

static int ns_make_private(void)
{
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* From a chroot the mount that it lies in cannot be named. Entering the mount namespace that we are
 * in already leads to the root of that, and a change of root back again. */
static int ns_make_private_from_chroot(void)
{
	int root = open("/", O_PATH | O_CLOEXEC), work = open(".", O_PATH | O_CLOEXEC);
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0), r = -1;

	if (setns(self, CLONE_NEWNS) == 0 && ns_make_private() == 0 && fchdir(root) == 0 &&
	    chroot(".") == 0)
		r = fchdir(work);
	close(self);
	close(work);
	close(root);
	return r;
}

/* What must look different inside. */
static int ns_mount(struct ns_why *why)
{
	const char *what;
	int err;

	if ((ns_chrooted() ? ns_make_private_from_chroot() : ns_make_private()) < 0)
		return ns_fail(why, "cannot make mounts private");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return ns_fail(why, "cannot mount /proc of the private processes");
	if (mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,mode=755") < 0)
		return ns_fail(why, "cannot mount a private /run");
	if (mkdir("/run/netns", 0755) < 0)
		return ns_fail(why, "cannot make /run/netns");
	err = devices_mount(&what);
	if (err == 0)
		return 0;
	errno = -err;
	return ns_fail(why, "cannot make %s", what);
}

struct ns_job {
	int (*run)(void *arg);
	void *arg;
	struct ns_why *why;
};

static void __attribute__((noreturn)) ns_inner(const struct ns_job *job, int alive)
{
	ns_follow(alive);
	close(alive);
	if (ns_mount(job->why) < 0)
		_exit(EXIT_ENVIRONMENT);
	_exit(job->run(job->arg));
}

static void __attribute__((noreturn)) ns_outer(const struct ns_job *job, int alive)
{
	int hold[2], status = 0;
	pid_t pid;

	ns_follow(alive);
	setsid(); /* ^C at the terminal is for echodrill, which decides */
	if (ns_enter(job->why) < 0)
		_exit(EXIT_ENVIRONMENT);
	ns_follow(alive); /* a change of credentials clears PR_SET_PDEATHSIG */
	pid = pipe2(hold, O_CLOEXEC) < 0 ? -1 : fork();
	if (pid == 0) {
		close(hold[1]);
		ns_inner(job, hold[0]);
	}
	if (pid < 0) {
		ns_fail(job->why, "cannot start process 1");
		_exit(EXIT_ENVIRONMENT);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_INTERNAL);
}

pid_t ns_spawn(int (*run)(void *arg), void *arg, struct ns_why *why)
{
	static int hold[2] = { -1, -1 }; /* the write end closes when this process ends */
	const struct ns_job job = { run, arg, why };
	pid_t pid;

	if (hold[0] < 0 && pipe2(hold, O_CLOEXEC) < 0)
		return -errno;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(hold[1]);
		ns_outer(&job, hold[0]);
	}
	return pid < 0 ? -errno : pid;
}
