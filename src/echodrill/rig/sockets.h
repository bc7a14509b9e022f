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

enum sockets_kind { SOCKETS_LISTENING, SOCKETS_CONNECTED };

/* How many TCP sockets of that kind a process holds. */
unsigned sockets_count(pid_t pid, enum sockets_kind kind);

/* Keeps a copy of each connection of a process, as a parent does that forgot to close it. Returns
 * how many. */
unsigned sockets_leak(pid_t pid);

#endif
