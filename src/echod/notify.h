/* SPDX-License-Identifier: MIT
 * notify: tells a supervisor how we are (sd_notify(3)): a datagram to the socket NOTIFY_SOCKET,
 * text of lines KEY=VALUE. Nothing of systemd is linked; where there is no such socket nothing is
 * said.
 */
#ifndef ECHOD_NOTIFY_H
#define ECHOD_NOTIFY_H

#include <stdint.h>
#include <sys/types.h>

#include "echo/base/addr.h"

struct worker_group;

struct notify {
	struct addr to;
	int fd;              /* -1: nobody is told */
	int64_t watchdog_ns; /* it wants to hear of us this often; 0: it does not */
	struct worker_group *group;
	uint32_t asked; /* how often the workers were asked for a sign of life */
};

/* Reads the environment, and takes WATCHDOG_PID out of it: a successor keeps the rest, and is meant
 * as well. Logs what it cannot use. */
void notify_init(struct notify *n);
void notify_fini(struct notify *n);

/* Each of these says one thing; @status is what people are shown. */
void notify_ready(struct notify *n, const char *status);
/* Before a configuration is read again; notify_ready follows, whatever came of it. */
void notify_reloading(struct notify *n);
void notify_stopping(struct notify *n, const char *status);
/* A successor has taken over: from now on it is the process that is watched, and says what there is
 * to say. */
void notify_left(struct notify *n, pid_t successor, const char *status);

/* All workers run: from now on says that we are alive, twice as often as is wanted, from within
 * worker_group_wait. Only while every worker of @g makes turns: each is woken, and must have come
 * round since the last time. */
void notify_watch(struct notify *n, struct worker_group *g);

#endif
