/* SPDX-License-Identifier: MIT
 * sockets: what a drill does with sockets itself.
 */
#ifndef ECHODRILL_SOCKETS_H
#define ECHODRILL_SOCKETS_H

#include <sys/types.h>

struct hosts;

/* Starts a process that listens on the server's port beside the server (SO_REUSEPORT) and accepts
 * nobody. Returns its pid or -errno. */
pid_t sockets_share(const struct hosts *h);

/* Keeps a copy of each connection of a process, as a parent does that forgot to close it. Returns
 * how many. */
int sockets_leak(pid_t pid);

#endif
