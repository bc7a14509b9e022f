/* SPDX-License-Identifier: MIT
 * flawed: puts a bug into a program of ours, for LD_PRELOAD, so that a test can ask whether chaos
 * finds it: of the epoll backend, which receives and sends by syscall().
 *
 *   ECHOLAB_FLAW=byte        every 20th send of echod leaves out its last byte
 *   ECHOLAB_FLAW=descriptor  echod forgets a descriptor with every third connection
 *   ECHOLAB_FLAW=memory      ... and a megabyte with each
 *   ECHOLAB_FLAW=eof         echoload takes a reset for the end of input
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SENDS = 20, ACCEPTS = 3, FORGOTTEN = 1 << 20, ARGS = 6 };

static atomic_uint sends, accepts;

static bool is_in(const char *program, const char *flaw)
{
	const char *text = getenv("ECHOLAB_FLAW");

	return text && strcmp(text, flaw) == 0 &&
	       strcmp(program_invocation_short_name, program) == 0;
}

long syscall(long number, ...)
{
	long (*f)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	const bool sends_it = number == SYS_sendto && is_in("echod", "byte");
	long a[ARGS], n;
	va_list args;
	bool cut;

	va_start(args, number);
	for (int i = 0; i < ARGS; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	cut = sends_it && a[2] > 1 && ++sends % SENDS == 0;
	n = f(number, a[0], a[1], a[2] - cut, a[3], a[4], a[5]);
	if (cut && n == a[2] - 1)
		return n + 1;
	return n < 0 && errno == ECONNRESET && number == SYS_recvfrom && is_in("echoload", "eof")
		       ? 0
		       : n;
}

int accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	int (*f)(int, struct sockaddr *, socklen_t *, int) =
		(int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
	const int n = f(fd, addr, len, flags), e = errno;

	if (n >= 0 && is_in("echod", "descriptor") && ++accepts % ACCEPTS == 0)
		(void)!fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (n >= 0 && is_in("echod", "memory"))
		(void)mmap(NULL, FORGOTTEN, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	errno = e;
	return n;
}
