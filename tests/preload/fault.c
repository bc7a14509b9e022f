/* SPDX-License-Identifier: MIT
 * fault: makes the n-th call of one function fail, for LD_PRELOAD.
 *
 *   ECHOLAB_FAULT=recv:3:104    the third recv fails with that errno
 *   ECHOLAB_FAULT=recv:/3:4     every third does
 *   ECHOLAB_FAULT=send:3:short  the third send takes one byte (blocking sockets: so does a signal)
 *   ECHOLAB_FAULT=cqe_recv:1:12 a completion of io_uring has that errno: cqe_send, or cqe_recv for
 *                               the last of a receive that holds no bytes
 *   ECHOLAB_FAULT=malloc:3:12   the third allocation, by any function, for any library
 *   ECHOLAB_FAULT=sqe_send:1:12 fault_ring.h: a request of io_uring
 *   ECHOLAB_FAULT=disk:4096:27  the disk is full for every file of that many bytes (EFBIG); for
 *                               programs that it starts it is not
 *   ECHOLAB_FAULT=any:3:12      the third call of all but allocations and those that move messages
 *   ECHOLAB_FAULT=any:3:kill    it is not made: the process is killed
 *   ECHOLAB_FAULT=main:3:signal15  fault_signal.h: a signal comes, before main's third call
 *   ECHOLAB_FAULT_FROM=connect  none counts before the first of these
 *   ECHOLAB_FAULT_IN=echodrill  only in the program of that name
 *   ECHOLAB_FAULT_LOG=FILE      begins with a line when it happened, with a zero byte until then;
 *                               mapped at the start, since a sandbox lets nobody open it later
 *   ECHOLAB_FAULT_TRACE=FILE    gets who made the call
 *   ECHOLAB_SNDBUF=16384        accepted sockets have a small send buffer, as listeners have:
 *                               partial sends, truly
 *
 * recv and send are libc's functions and, through syscall(), the system calls below them.
 * Calls are counted from the begin of main, over all threads and children; read and write only of
 * sockets, write_file of all else but what has no type, such as an eventfd. A close or shutdown
 * that fails has done its work, as in the kernel. What libc calls within itself is not seen, but
 * for its allocations.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SHORT = -1, KILL = -2, ONCE = -3, SIGNAL = -4, LOG_LEN = 64, FRAMES = 24, TRACE_FD = 900 };

struct counted {
	_Atomic bool begun; /* ECHOLAB_FAULT_FROM was called */
	_Atomic unsigned calls;
};

static struct {
	char name[32];
	const char *from; /* NULL: it has begun */
	unsigned nth;
	bool each;               /* of every nth call, not of one */
	bool armed;              /* main has begun */
	int what;                /* errno, SHORT, KILL, ONCE or SIGNAL */
	int signal;              /* its number */
	struct counted *counted; /* shared with children */
	char *log;               /* LOG_LEN bytes of the file, or NULL */
	int trace;               /* a descriptor, or 0 */
} fault;

/* libc's own syscall(), which is replaced below. */
static long libc_syscall(long number, const long a[6])
{
	static long (*real)(long, ...);

	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void fault_map_log(void)
{
	const char *path = getenv("ECHOLAB_FAULT_LOG");
	int fd = path ? (int)libc_syscall(SYS_openat, (const long[6]){ AT_FDCWD, (long)path,
								       O_RDWR | O_CREAT, 0600 })
		      : -1;
	long at;

	if (fd < 0)
		return;
	(void)libc_syscall(SYS_ftruncate, (const long[6]){ fd, LOG_LEN });
	at = libc_syscall(SYS_mmap,
			  (const long[6]){ 0, LOG_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0 });
	libc_syscall(SYS_close, (const long[6]){ fd });
	if (at != (long)MAP_FAILED)
		fault.log = (char *)at;
}

/* Opened now and not later, for the same reason, where no descriptor of the program's will be. */
static void fault_open_trace(void)
{
	const long flags = O_WRONLY | O_APPEND | O_CREAT;
	void *frame[1];
	long fd = libc_syscall(
		SYS_openat,
		(const long[6]){ AT_FDCWD, (long)getenv("ECHOLAB_FAULT_TRACE"), flags, 0600 });

	fault.trace =
		(int)libc_syscall(SYS_fcntl, (const long[6]){ fd, F_DUPFD_CLOEXEC, TRACE_FD });
	libc_syscall(SYS_close, (const long[6]){ fd });
	(void)backtrace(frame, 1); /* loads what it needs: not later, in an allocation */
}

/* Files end at fault.nth bytes, or, of a program that was started so, where they may. */
static void fault_disk(bool here)
{
	struct rlimit limit;

	if (here)
		signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = here ? fault.nth : limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
}

static void fault_signal_init(const char *what);

static void __attribute__((constructor)) fault_init(void)
{
	const char *text = getenv("ECHOLAB_FAULT"), *in = getenv("ECHOLAB_FAULT_IN");
	const bool here = !in || strcmp(in, program_invocation_short_name) == 0;
	char what[16], slash[2] = "";

	if (!text ||
	    (sscanf(text, "%31[^:]:%1[/]%u:%15s", fault.name, slash, &fault.nth, what) != 4 &&
	     sscanf(text, "%31[^:]:%u:%15s", fault.name, &fault.nth, what) != 3))
		return;
	if (strcmp(fault.name, "disk") == 0)
		fault_disk(here);
	if (!here || strcmp(fault.name, "disk") == 0)
		return;
	fault.each = slash[0] == '/' && fault.nth > 0;
	fault.what = strcmp(what, "short") == 0  ? SHORT
		     : strcmp(what, "kill") == 0 ? KILL
		     : strcmp(what, "once") == 0 ? ONCE
						 : (int)strtol(what, NULL, 10);
	if (strcmp(fault.name, "main") == 0)
		fault_signal_init(what);
	fault.from = getenv("ECHOLAB_FAULT_FROM");
	fault.counted = (void *)libc_syscall(
		SYS_mmap, (const long[6]){ 0, sizeof(*fault.counted), PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0 });
	fault_map_log();
	if (getenv("ECHOLAB_FAULT_TRACE"))
		fault_open_trace();
}

static void fault_signal_begin(void);

/* Constructors of libraries have run when this is called, and main has not. */
int __libc_start_main(int (*start)(int, char **, char **), int argc, char **argv,
		      void (*init)(void), void (*fini)(void), void (*rtld)(void), void *end);
int __libc_start_main(int (*start)(int, char **, char **), int argc, char **argv,
		      void (*init)(void), void (*fini)(void), void (*rtld)(void), void *end)
{
	__typeof__(__libc_start_main) *real =
		(__typeof__(real))dlsym(RTLD_NEXT, "__libc_start_main");

	fault.armed = true;
	fault_signal_begin();
	return real(start, argc, argv, init, fini, rtld, end);
}

static void fault_log(const char *name)
{
	void *frames[FRAMES];

	if (fault.log)
		snprintf(fault.log, LOG_LEN, "%s\n", name);
	if (fault.trace > 0)
		backtrace_symbols_fd(frames, backtrace(frames, FRAMES), fault.trace);
}

#include "fault_signal.h"

/* Whether the call is one of those that are counted. */
static bool fault_counts(const char *name)
{
	static const char *const messages[] = {
		"recv",
		"send",
		"read",
		"write",
		"epoll_wait",
		"io_uring_submit",
		"io_uring_submit_and_wait",
		"io_uring_submit_and_get_events",
		"io_uring_submit_and_wait_timeout",
		"cqe_recv",
		"cqe_send",
		"malloc",
	};

	if (fault.from && strcmp(name, fault.from) == 0)
		fault.counted->begun = true;
	if (fault.from && !fault.counted->begun)
		return false;
	if (strcmp(fault.name, "any") != 0)
		return strcmp(name, fault.name) == 0;
	if (strncmp(name, "sqe_", 4) == 0)
		return false;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		if (strcmp(name, messages[i]) == 0)
			return false;
	}
	return true;
}

/* Whether this call is the one. Returns 0, SHORT, ONCE, or the errno, which is then set. */
static int fault_hits(const char *name)
{
	int saved = errno;
	unsigned n;

	fault_step(name);
	if (!fault.counted || !fault.armed || !fault_counts(name))
		return 0;
	n = ++fault.counted->calls;
	if (fault.each ? n % fault.nth != 0 : n != fault.nth)
		return 0;
	if (n == fault.nth)
		fault_log(name);
	if (fault.what == KILL)
		(void)raise(SIGKILL); /* which a sandbox allows */
	errno = fault.what > 0 ? fault.what : saved;
	return fault.what;
}

static int socket_option(int fd, int name)
{
	int value = 0;
	socklen_t len = sizeof(value);

	(void)libc_syscall(SYS_getsockopt,
			   (const long[6]){ fd, SOL_SOCKET, name, (long)&value, (long)&len });
	return value;
}

/* The same for a call on a connection, which is over by these errnos: no receive waits then. A
 * packet is whole. */
static int fault_socket(const char *name, int fd)
{
	const int hit = fault_hits(name);

	if (hit == SHORT && socket_option(fd, SO_TYPE) != SOCK_STREAM)
		return 0;
	if (hit == EPIPE || hit == ECONNRESET) {
		libc_syscall(SYS_shutdown, (const long[6]){ fd, SHUT_RD });
		errno = hit;
	}
	return hit;
}

#define REAL(name)                                                                                 \
	static __typeof__(name) *real;                                                             \
	if (!real)                                                                                 \
	real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* The function as it is, but for the n-th call, which returns @failed. */
#define FAULT_VALUE(type, failed, name, params, args)                                              \
	type name params;                                                                          \
	type name params                                                                           \
	{                                                                                          \
		REAL(name);                                                                        \
		if (fault_hits(#name) > 0)                                                         \
			return failed;                                                             \
		return real args;                                                                  \
	}
#define FAULT(type, name, params, args)      FAULT_VALUE(type, (type)-1, name, params, args)
#define FAULT_NULL(type, name, params, args) FAULT_VALUE(type, NULL, name, params, args)

#include "fault_epoll.h"

/* One that transfers @len bytes. */
#define FAULT_IO(name, params, args)                                                               \
	ssize_t name params;                                                                       \
	ssize_t name params                                                                        \
	{                                                                                          \
		ssize_t r;                                                                         \
		int hit;                                                                           \
		REAL(name);                                                                        \
		hit = fault_socket(#name, fd);                                                     \
		if (hit > 0)                                                                       \
			return -1;                                                                 \
		if (hit == SHORT && len > 1)                                                       \
			len = 1;                                                                   \
		r = real args;                                                                     \
		if (hit == SHORT)                                                                  \
			fault_rearm(fd);                                                           \
		return r;                                                                          \
	}

/* How the epoll backend receives and sends: recv and send by another way. */
static long fault_syscall(const char *name, long number, long a[6])
{
	const int hit = fault_socket(name, (int)a[0]);
	long r;

	if (hit > 0)
		return -1;
	if (hit == SHORT && a[2] > 1)
		a[2] = 1;
	r = libc_syscall(number, a);
	if (hit == SHORT)
		fault_rearm((int)a[0]);
	return r;
}

long syscall(long number, ...)
{
	long a[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_recvfrom)
		return fault_syscall("recv", number, a);
	if (number == SYS_sendto)
		return fault_syscall("send", number, a);
	fault_step("syscall");
	return libc_syscall(number, a);
}

FAULT_IO(recv, (int fd, void *buf, size_t len, int flags), (fd, buf, len, flags))
FAULT_IO(send, (int fd, const void *buf, size_t len, int flags), (fd, buf, len, flags))
static mode_t type_of(int fd)
{
	struct stat st;

	if (libc_syscall(SYS_fstat, (const long[6]){ fd, (long)&st }) < 0)
		return 0;
	return st.st_mode & S_IFMT;
}

ssize_t read(int fd, void *buf, size_t len)
{
	REAL(read);
	int hit = type_of(fd) == S_IFSOCK ? fault_socket("read", fd) : 0;

	if (type_of(fd) != S_IFSOCK)
		fault_step("read");
	return hit > 0 ? -1 : real(fd, buf, hit == SHORT && len > 1 ? 1 : len);
}

ssize_t write(int fd, const void *buf, size_t len)
{
	REAL(write);
	const mode_t type = type_of(fd);
	int hit = 0;

	if (type == S_IFSOCK)
		hit = fault_socket("write", fd);
	else if (type != 0 &&
		 (strcmp(fault.name, "any") != 0 || (type == S_IFREG && fd > STDERR_FILENO)))
		hit = fault_hits("write_file"); /* of any but what is said */
	else
		fault_step("write");
	return hit > 0 ? -1 : real(fd, buf, hit == SHORT && len > 1 ? 1 : len);
}

FAULT(ssize_t, recvmsg, (int fd, struct msghdr *m, int flags), (fd, m, flags))

/* What clients are owed goes this way, too. */
ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
	REAL(sendmsg);
	if (strcmp(fault.name, "any") == 0 && socket_option(fd, SO_DOMAIN) != AF_UNIX)
		return real(fd, m, flags);
	return fault_socket("sendmsg", fd) > 0 ? -1 : real(fd, m, flags);
}

FAULT(int, poll, (struct pollfd * p, nfds_t count, int ms), (p, count, ms))
FAULT(int, ppoll, (struct pollfd * p, nfds_t count, const struct timespec *t, const sigset_t *mask),
      (p, count, t, mask))

/* The same, where the compiler cannot see that the array has room (_FORTIFY_SOURCE). */
int __ppoll_chk(struct pollfd *p, nfds_t count, const struct timespec *t, const sigset_t *mask,
		size_t len);
int __ppoll_chk(struct pollfd *p, nfds_t count, const struct timespec *t, const sigset_t *mask,
		size_t len)
{
	static __typeof__(ppoll) *const ours = ppoll;

	if (count > len / sizeof(*p))
		abort();
	return ours(p, count, t, mask);
}

#include "fault_rows.h"
#include "fault_steps.h"

FAULT(ssize_t, pread, (int fd, void *buf, size_t len, off_t at), (fd, buf, len, at))

int close(int fd)
{
	REAL(close);
	int r = real(fd), hit = fault_hits("close");

	return hit > 0 ? -1 : r;
}

int shutdown(int fd, int how)
{
	REAL(shutdown);
	int r = real(fd, how), hit = fault_hits("shutdown");

	return hit > 0 ? -1 : r;
}

FAULT(int, accept4, (int fd, struct sockaddr *a, socklen_t *len, int flags), (fd, a, len, flags))

/* What a listener has, those that are accepted have, however that is done. */
int listen(int fd, int backlog)
{
	const char *text = getenv("ECHOLAB_SNDBUF");
	const int bytes = text ? (int)strtol(text, NULL, 10) : 0;

	REAL(listen);
	if (bytes > 0)
		(void)libc_syscall(SYS_setsockopt, (const long[6]){ fd, SOL_SOCKET, SO_SNDBUF,
								    (long)&bytes, sizeof(bytes) });
	return fault_hits("listen") > 0 ? -1 : real(fd, backlog);
}

#include "fault_memory.h"
#include "fault_ring.h"

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	REAL(open);
	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return fault_hits("open") > 0 ? -1 : real(path, flags, mode);
}

int fcntl(int fd, int what, ...)
{
	va_list args;
	void *arg;

	REAL(fcntl);
	va_start(args, what);
	arg = va_arg(args, void *);
	va_end(args);
	return fault_hits("fcntl") > 0 ? -1 : real(fd, what, arg);
}

/* it returns its errno */
int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*start)(void *), void *arg)
{
	REAL(pthread_create);
	int hit = fault_hits("pthread_create");

	return hit > 0 ? hit : real(t, a, start, arg);
}
