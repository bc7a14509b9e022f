/* SPDX-License-Identifier: MIT
 * successor: starts the program that is to take over: the same command line, and the file that lies
 * now where ours was, which an upgrade may have replaced.
 */
#ifndef ECHOD_SUCCESSOR_H
#define ECHOD_SUCCESSOR_H

#include <signal.h>
#include <sys/types.h>

struct successor {
	char **argv;       /* as main got it */
	sigset_t mask;     /* of signals, as main found it */
	sigset_t defaults; /* those that we may ignore and main did not find ignored */
	char path[4096];
	pid_t pid; /* of the one that runs, or 0 */
	int fd;    /* pidfd: readable when it has ended; -1, also if it could not be had */
};

/* Remembers how we were started, before anything changes. @argv is copied. 0 or -ENOMEM. */
int successor_init(struct successor *s, int argc, char **argv);
void successor_fini(struct successor *s);

/* Starts one, unless one runs: -EALREADY. Returns 0 or -errno. */
int successor_start(struct successor *s);

/* Looks whether it has ended, and logs that. */
void successor_poll(struct successor *s);

#endif
