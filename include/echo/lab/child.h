/* SPDX-License-Identifier: MIT
 * child: programs under measurement: commands of a shell. Between us and each stands a process, its
 * keeper, to which whatever the command starts comes back in the end: in the background, as a
 * daemon, in a session of its own. It ends all of that when it is told to, and when we are killed.
 * What a command says goes into memory files, so that nobody has to empty a pipe while the clock
 * runs.
 *
 * Waiting is done with SIGCHLD and stop_signals() blocked (child_block_signals, before anything is
 * started): a signal that asks to stop ends a wait, and nothing else.
 */
#ifndef ECHO_CHILD_H
#define ECHO_CHILD_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
	pid_t pid;    /* of the shell, or of what took its place; 0: none is running */
	pid_t keeper; /* the parent of all: what is measured from here misses nothing */
	bool started; /* and not stopped yet */
	int out, err; /* memory files; -1: none */
	int status;   /* of the command, as waitpid() gives it, when all of it has ended */
};

/* Call before the first child. Nobody has asked us to stop then. */
void child_block_signals(void);

/* When the last child has gone: from now on such a signal ends this program as usual. */
void child_unblock_signals(void);

/* The signal that has asked this program to stop; 0: none. */
int child_stop_signal(void);

/* Starts a command line of the shell, on @cpus only (NULL: where we may run). Returns 0 or -errno;
 * a command that cannot be run exits with 126 or 127, as the shell says it. */
int child_start(struct child *c, const char *command, const cpu_set_t *cpus);

/* The same, and @keep stays open in it, though it is closed on exec; -1: none. */
int child_start_with(struct child *c, const char *command, const cpu_set_t *cpus, int keep);

/* Whether a command is one program with its arguments, so that a shell can give its place to it
 * ("exec " before it): signals, exit codes and CPU time are the program's then. */
bool child_is_program(const char *command);

/* Waits for its end. Returns 0, -ETIME, or -EINTR when a signal asks to stop: it then runs on. */
int child_wait(struct child *c, int64_t timeout_ns);

/* Ends a child and those it started: asks, waits up to @patience_ns, then insists. Closes its
 * files. Does nothing when none was started. */
void child_stop(struct child *c, int64_t patience_ns);

/* What has been written to one of the files so far, as a string that the caller frees. NULL: no
 * memory. */
char *child_text(int fd);

/* The address on a whole line that says "listening": host:port, [host]:port or unix:path. Returns
 * false while there is none. */
bool child_address(int fd, char *addr, size_t size);

/* @text with every occurrence of @word replaced; the caller frees it. NULL: no memory. */
char *child_replace(const char *text, const char *word, const char *by);

#endif
