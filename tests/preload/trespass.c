/* SPDX-License-Identifier: MIT
 * trespass: has a program try what its sandbox forbids, from within, for LD_PRELOAD, and says how
 * that went on standard error: "trespass: main: open: EPERM".
 *
 *   ECHOLAB_TRESPASS=open|socket|map|exec|dial|abort|ring|register
 *   ECHOLAB_TRESPASS_PID=123    whom it sends SIGABRT (abort)
 *
 * The main thread tries when it writes counters (fopencookie, after SIGUSR1), and from then on
 * each other thread when it closes something, or waits for its ring, for the first time. A ring
 * tries by itself: a request that opens a file (ring), or to be given an eventfd (register).
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What requests of the backend carry that tell nothing when they worked (uring_private.h). */
#define OF_CANCEL ((uint64_t)3 << 56)

static atomic_bool armed;
static char wanted[16];

static void __attribute__((constructor)) trespass_init(void)
{
	const char *text = getenv("ECHOLAB_TRESPASS");

	snprintf(wanted, sizeof(wanted), "%s", text ? text : "");
}

static bool wants(const char *what)
{
	return strcmp(wanted, what) == 0;
}

static void say(int r)
{
	const char *who = syscall(SYS_gettid) == getpid() ? "main" : "worker";
	char line[128];
	int n = snprintf(line, sizeof(line), "trespass: %s: %s: %s\n", who, wanted,
			 r < 0 ? strerrorname_np(-r) : "done");

	(void)!write(STDERR_FILENO, line, (size_t)n);
}

static int outcome(long r)
{
	return r < 0 ? -errno : 0;
}

/* Becomes a client without socket(2) and connect(2): a listener that is shut for receiving is a
 * socket that nobody has connected yet, and sending with MSG_FASTOPEN connects it, here to itself.
 */
static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_UNSPEC };
	socklen_t len = sizeof(to), one = sizeof(int);
	int fd = 3, listens = 0;

	for (; fd < 256 && !listens; fd++) {
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &one) < 0)
			listens = 0;
		len = sizeof(to);
		if (listens &&
		    (getsockname(fd, (struct sockaddr *)&to, &len) < 0 || to.sin_family != AF_INET))
			listens = 0;
	}
	if (shutdown(fd - 1, SHUT_RD) < 0 && shutdown(fd - 1, SHUT_RDWR) < 0)
		return -errno;
	return outcome(sendto(fd - 1, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL | MSG_DONTWAIT,
			      (struct sockaddr *)&to, sizeof(to)));
}

static void attempt(void)
{
	const char *pid = getenv("ECHOLAB_TRESPASS_PID");
	const long victim = pid ? strtol(pid, NULL, 10) : 0;
	char *const argv[] = { "true", NULL };

	if (wants("open"))
		say(outcome(open("/etc/passwd", O_RDONLY | O_CLOEXEC)));
	else if (wants("socket"))
		say(outcome(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
	else if (wants("map"))
		say(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
				    MAP_FAILED
			    ? -errno
			    : 0);
	else if (wants("dial"))
		say(dial());
	else if (wants("abort"))
		say(outcome(syscall(SYS_tgkill, victim, victim, SIGABRT)));
	else if (wants("exec"))
		say(outcome(execve("/bin/true", argv, NULL)));
}

FILE *fopencookie(void *cookie, const char *mode, cookie_io_functions_t io)
{
	FILE *(*real)(void *, const char *, cookie_io_functions_t) =
		(FILE * (*)(void *, const char *, cookie_io_functions_t))
			dlsym(RTLD_NEXT, "fopencookie");

	/* a filter that refuses even this is one, too */
	if (prctl(PR_GET_SECCOMP) != 0 && !atomic_exchange(&armed, true))
		attempt();
	return real(cookie, mode, io);
}

static void attempt_in_worker(void)
{
	static _Thread_local bool done;

	if (!atomic_load(&armed) || done || syscall(SYS_gettid) == getpid())
		return;
	done = true;
	attempt();
}

int close(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");

	attempt_in_worker();
	return real(fd);
}

/* ---- the ring ---- */

static _Thread_local bool asked;

static void ring_asks(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = NULL;

	attempt_in_worker();
	if (!atomic_load(&armed) || asked)
		return;
	asked = true;
	if (wants("register"))
		say(io_uring_register_eventfd(ring, 0));
	if (wants("ring"))
		sqe = io_uring_get_sqe(ring);
	if (sqe) {
		io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC, 0);
		sqe->user_data = OF_CANCEL;
	}
}

static void ring_answers(struct io_uring *ring)
{
	const struct io_uring_cqe *cqe;
	unsigned head;

	io_uring_for_each_cqe(ring, head, cqe)
	{
		if (cqe->user_data == OF_CANCEL)
			say(cqe->res);
	}
}

int io_uring_submit_and_wait(struct io_uring *ring, unsigned count)
{
	int (*real)(struct io_uring *, unsigned) =
		(int (*)(struct io_uring *, unsigned))dlsym(RTLD_NEXT, "io_uring_submit_and_wait");
	int r;

	ring_asks(ring);
	r = real(ring, count);
	ring_answers(ring);
	return r;
}

int io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe,
				     unsigned count, struct __kernel_timespec *ts, sigset_t *mask)
{
	int (*real)(struct io_uring *, struct io_uring_cqe **, unsigned, struct __kernel_timespec *,
		    sigset_t *) =
		(int (*)(struct io_uring *, struct io_uring_cqe **, unsigned,
			 struct __kernel_timespec *,
			 sigset_t *))dlsym(RTLD_NEXT, "io_uring_submit_and_wait_timeout");
	int r;

	ring_asks(ring);
	r = real(ring, cqe, count, ts, mask);
	ring_answers(ring);
	return r;
}
