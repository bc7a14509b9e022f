/* SPDX-License-Identifier: MIT
 * ns: a private machine for a function to run in: its own processes, mounts and network, and its
 * own users when we are not root. All of it vanishes with the process, however that ends.
 */
#ifndef ECHODRILL_NS_H
#define ECHODRILL_NS_H

#include <sys/types.h>

enum { NS_WHY_MAX = 200 };

/* Says in shared memory why there is no private machine; "" while all is well. */
struct ns_why {
	char text[NS_WHY_MAX];
};

/* Runs @run(@arg) as process 1 of new namespaces, with a /proc and a /dev of its own and an empty
 * /run. When it returns, or dies, or when this process dies in whatever way (SIGKILL included), the
 * kernel ends every process that it has started, and the namespaces with them.
 * @why lies in memory shared with children (mmap). Returns a pid to wait for, whose exit code is
 * what @run returned (70 if it was killed, 4 with why->text if there was no way in), or -errno. */
pid_t ns_spawn(int (*run)(void *arg), void *arg, struct ns_why *why);

#endif
