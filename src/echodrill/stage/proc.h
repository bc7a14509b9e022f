/* SPDX-License-Identifier: MIT
 * proc: programs of a drill: started on a host, their lines read as they come, signalled, awaited.
 * For process 1 of a private machine (ns.h): whatever it leaves behind dies with it.
 */
#ifndef ECHODRILL_PROC_H
#define ECHODRILL_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "timeline.h"

enum { PROC_LINE_MAX = 1024, PROC_ARGS_MAX = 64 };

struct proc_stream {
	int fd; /* -1: ended */
	size_t len;
	char line[PROC_LINE_MAX]; /* what came since the last newline */
};

struct proc {
	enum who who;
	pid_t pid; /* 0: not started */
	int pidfd, stdin_fd;
	bool ended;
	int status; /* of wait, once it has ended */
	int64_t started_ns, ended_ns;
	struct proc_stream out, err;
};

/* Starts @argv (NULL-terminated) in the network namespace @netns (an fd). Returns 0 or -errno; a
 * program that is not there is -ENOENT. */
int proc_start(struct proc *p, enum who who, int netns, const char *const *argv);

/* @p has ended and left @pid behind, which became our child: from now on that is the program.
 * Nothing changes when @pid is 0. */
void proc_adopt(struct proc *p, pid_t pid);

/* Waits until one of @count programs says something or ends, but at most until @until_ns; what is
 * said goes to @t. Call proc_reap behind it. */
void proc_turn(struct proc *procs, unsigned count, int64_t until_ns, struct timeline *t);

/* Whether a child waits to be reaped. */
bool proc_has_zombie(void);
/* Reaps programs that have ended, orphans too. */
void proc_reap(struct proc *procs, unsigned count, struct timeline *t);

/* Gives it a line to read, the newline is added. Returns 0 or -errno. */
int proc_type(struct proc *p, const char *line);
/* The end of its input. */
void proc_hangup(struct proc *p);

/* "running", "killed by SIGKILL", "exit code 3". Returns @text. */
const char *proc_status(const struct proc *p, char text[64]);

/* State of any process: a letter of ps ('T': stopped, 'Z': zombie), 0 when it is gone, or
 * PROC_UNKNOWN: this machine could not look. */
enum { PROC_UNKNOWN = '?' };
char proc_state(pid_t pid);

/* Whether a file or folder of a process in /proc that could not be opened, with errno @e, has
 * nothing to tell: the process is gone, or is a zombie, whose descriptors belong to root (an
 * ordinary user's EACCES, as of somebody else's process). Else this machine could not look. */
bool proc_tells_nothing(int e);

/* Whether all of its threads stand still: the first one may, while a worker still accepts. */
bool proc_is_stopped(pid_t pid);

/* Whether every thread of it waits for something other than a CPU, as far as could be looked at. */
bool proc_sleeps(pid_t pid);

/* What becomes of signals of a process, a bit for each: 1 << (number - 1). */
struct proc_signals {
	uint64_t pending, blocked, ignored, caught;
};

/* Returns 0; -ENOENT: it is gone; or -errno. */
int proc_signals(pid_t pid, struct proc_signals *s);

/* Writes the pids of @parent's living children, the youngest first. Returns how many there are (at
 * most @max), or -errno: not all could be looked at. */
int proc_children(pid_t parent, pid_t *pids, unsigned max);

/* Writes the pids of @root and all that it has started, parents first. Returns how many there are
 * (at most @max), or -errno as proc_children; @root is written nevertheless. */
int proc_tree(pid_t root, pid_t *pids, unsigned max);

/* How many of the processes that @root and its children have started have ended and were not reaped
 * (at most 256 of each), or -errno. */
int proc_zombies(pid_t root);

/* Gives it no descriptor more than it has now. Returns 0 or -errno. */
int proc_exhaust(pid_t pid);

/* "KILL" to 9; 0: unknown. */
int proc_signal_number(const char *name);

/* Runs a helper (ip, nft, ss) in @netns with @input on its standard input, to its end, at most
 * until @until_ns. What it prints goes to @out (cut at @size, terminated). Returns its exit code,
 * or -errno (-ETIMEDOUT: it was killed). */
int proc_helper(int netns, const char *const *argv, const char *input, char *out, size_t size,
		int64_t until_ns);

#endif
