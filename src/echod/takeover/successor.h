/* SPDX-License-Identifier: MIT
 * successor: starts the program that is to take over: the same command line, and the file that lies
 * now where ours was, which an upgrade may have replaced.
 */
#ifndef ECHOD_SUCCESSOR_H
#define ECHOD_SUCCESSOR_H

#include <signal.h>
#include <sys/types.h>

enum { SUCCESSOR_FAILED_MAX = 4 };

struct successor {
	char **argv;       /* as main got it */
	sigset_t mask;     /* of signals, as main found it */
	sigset_t defaults; /* those that we may ignore and main did not find ignored */
	char path[4096];
	pid_t pid; /* of the one that runs, or 0 */
	int fd;    /* pidfd: readable when it has ended; -1, also if it could not be had */
	pid_t failed[SUCCESSOR_FAILED_MAX]; /* that run still; 0: none */
};

/* Remembers how we were started, before anything changes. @argv is copied. 0 or -ENOMEM. */
int successor_init(struct successor *s, int argc, char **argv);
void successor_fini(struct successor *s);

/* Starts one, unless one runs: -EALREADY. @failed has been refused, and may run on beside the next:
 * it serves what it has; but not more than SUCCESSOR_FAILED_MAX of them. Returns 0 or -errno. */
int successor_start(struct successor *s, pid_t failed);

/* Looks whether it, or one that has failed, has ended, and logs that. */
void successor_poll(struct successor *s);

#endif
