/* SPDX-License-Identifier: MIT
 * fault_rows: the part of fault.c that is a table: calls of which nothing but their failing is of
 * interest.
 */
#ifndef FAULT_ROWS_H
#define FAULT_ROWS_H

#include <sys/wait.h>

FAULT(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
FAULT(int, bind, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
FAULT(int, connect, (int fd, const struct sockaddr *a, socklen_t len), (fd, a, len))
FAULT(int, getsockname, (int fd, struct sockaddr *a, socklen_t *len), (fd, a, len))
FAULT(int, getpeername, (int fd, struct sockaddr *a, socklen_t *len), (fd, a, len))
FAULT(int, getsockopt, (int fd, int level, int name, void *v, socklen_t *len),
      (fd, level, name, v, len))
FAULT(int, setsockopt, (int fd, int level, int name, const void *v, socklen_t len),
      (fd, level, name, v, len))
FAULT(int, eventfd, (unsigned count, int flags), (count, flags))
FAULT(int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
FAULT(int, memfd_create, (const char *name, unsigned flags), (name, flags))
FAULT(off_t, lseek, (int fd, off_t to, int from), (fd, to, from))
FAULT(int, fstat, (int fd, struct stat *st), (fd, st))
FAULT(int, lstat, (const char *path, struct stat *st), (path, st))
FAULT(int, flock, (int fd, int how), (fd, how))
FAULT(int, unlink, (const char *path), (path))
FAULT(int, pipe2, (int fds[2], int flags), (fds, flags))
FAULT(int, socketpair, (int domain, int type, int protocol, int fds[2]),
      (domain, type, protocol, fds))
FAULT(int, rename, (const char *from, const char *to), (from, to))
FAULT(int, fflush, (FILE * f), (f))
FAULT_NULL(FILE *, fopen, (const char *path, const char *mode), (path, mode))
FAULT_NULL(FILE *, fdopen, (int fd, const char *mode), (fd, mode))
FAULT_NULL(FILE *, tmpfile, (void), ())
FAULT_NULL(FILE *, open_memstream, (char **text, size_t *len), (text, len))
FAULT_NULL(DIR *, opendir, (const char *path), (path))
/* A file is closed in any case; what it still held may be lost. */
int fclose(FILE *f)
{
	REAL(fclose);
	int r = real(f), hit = fault_hits("fclose");

	return hit > 0 ? EOF : r;
}

FAULT(pid_t, fork, (void), ())
/* Who does not wait is never interrupted. */
pid_t waitpid(pid_t pid, int *status, int options)
{
	REAL(waitpid);
	return !(options & WNOHANG) && fault_hits("waitpid") > 0 ? -1 : real(pid, status, options);
}

FAULT(void *, mmap, (void *at, size_t len, int prot, int flags, int fd, off_t off),
      (at, len, prot, flags, fd, off))

#endif
