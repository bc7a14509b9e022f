/* SPDX-License-Identifier: MIT
 * pass: serves a connection that owes nothing while there is no room for what its socket might
 * refuse: what has come is looked at, sent back as far as the socket takes it, and only so much is
 * received. The rest waits where it is, in the kernel, and slows its own sender down. So a pool
 * that slow readers hold costs the others a system call a message, and nobody has to end for it.
 */
#ifndef BACKEND_PASS_H
#define BACKEND_PASS_H

#include <stddef.h>
#include <sys/types.h>

struct conn;

/* Of pass_step: the socket takes no more. No errno, which are smaller: a send may fail with any. */
enum { PASS_FULL = -4096 };

/* One step, through @buf, for a connection that is OPEN, whose role echoes, and for which
 * conn_unsent is 0; after a shutdown of ours what comes is dropped. Returns the bytes moved, which
 * the connection and its role know: less than @len is all that was there, but for an end or an
 * urgent mark. 0: the peer's FIN; -EAGAIN: nothing is there; PASS_FULL: the socket takes no more
 * (counted as starved), and a wait for POLLOUT will tell when it does; another -errno: a call
 * failed. */
ssize_t pass_step(struct conn *c, void *buf, size_t len);

#endif
