/* SPDX-License-Identifier: MIT
 * give: the side of a takeover that serves: it hands its listeners, and the connections that can be
 * moved, to a successor. Until the successor accepts, nothing has changed; until COMMIT has been
 * sent for what it was offered that can be taken back; and whatever goes wrong before the last
 * COMMIT leaves this process serving.
 */
#ifndef ECHOD_GIVE_H
#define ECHOD_GIVE_H

#include <stdbool.h>
#include <sys/types.h>

#include "echo/net/move.h"
#include "message.h"

struct listeners;
struct worker_group;

struct give {
	struct worker_group *group;
	struct listeners *listeners;
	bool moves;      /* handover = move */
	int path_fd;     /* the socket at PATH, which goes along */
	int64_t died_ns; /* when a process that may have waited on our listeners did, or 0 */
	struct talk talk;
	struct move move;
	unsigned moved;
};

/* Hands over to the process @pid at the other end of @fd, which is closed. Bounded in time. Returns
 * true when the successor has all: g->moved connections are its own, the workers have been told
 * WORKER_LEAVE, g->path_fd is still to be closed, and the files of unix sockets that it serves are
 * not ours to remove any more. Else all is as before; the reason has been
 * logged. */
bool give_run(struct give *g, int fd, pid_t pid);

#endif
