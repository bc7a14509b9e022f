/* SPDX-License-Identifier: MIT
 * activation: listeners that a supervisor opened before it started us (sd_listen_fds(3)):
 * LISTEN_FDS of them from descriptor 3 on, meant for the process LISTEN_PID, and their
 * LISTEN_FDNAMES. The protocol is these three variables; nothing of systemd is linked.
 */
#ifndef ECHOD_ACTIVATION_H
#define ECHOD_ACTIVATION_H

#include <stdbool.h>

#include "echo/base/addr.h"

enum { ACTIVATION_MAX = 256, ACTIVATION_WHY_MAX = 256 };

struct activation_listener {
	int fd;                   /* -1: it has been taken */
	struct addr asked, bound; /* fd:NAME; what it serves */
};

struct activation {
	struct activation_listener at[ACTIVATION_MAX];
	unsigned count;
};

/* Takes what was passed to this process, and the variables out of the environment; the descriptors
 * are closed on exec from now on. Returns 0, or -errno with a reason in @why. To be called before
 * anything is opened. */
int activation_take(struct activation *a, char why[ACTIVATION_WHY_MAX]);

/* Closes what is left. */
void activation_end(struct activation *a);

#endif
