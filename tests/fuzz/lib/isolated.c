/* SPDX-License-Identifier: MIT
 * isolated: in the place of calls of libc that would ask others than this process: no name is
 * looked up over the network, and no module of the kernel is loaded for a name that a fuzzer has
 * made up.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

int getaddrinfo(const char *name, const char *service, const struct addrinfo *want,
		struct addrinfo **all)
{
	(void)name;
	(void)service;
	(void)want;
	(void)all;
	return EAI_AGAIN;
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	if (level == IPPROTO_TCP && option == TCP_CONGESTION &&
	    (len != 5 || memcmp(value, "cubic", len) != 0)) {
		errno = ENOENT;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, option, value, len);
}

void fuzz_isolate(void)
{
	/* it is enough that this file is linked */
}
