/* SPDX-License-Identifier: MIT
 * helper: a small process that keeps what echod gives up: it may still open files, make sockets and
 * start programs, and it serves nobody. It is forked before there is any thread, and does a few
 * tasks that are asked for by number. No request names a file, an address or a program, so who has
 * taken over echod can make it do only what the configuration says anyway.
 *
 * It is no child of echod, so that among the children of echod are only those that serve; and it
 * ends when echod has ended, however that was.
 */
#ifndef ECHOD_HELPER_H
#define ECHOD_HELPER_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "echo/base/opt.h"
#include "echo/net/path.h"

enum { HELPER_WHY_MAX = OPT_ERROR_MAX };

/* What can be asked for, and what comes back. Fields that a task does not speak of mean nothing. */
enum helper_task {
	HELPER_SUCCESSOR,   /* starts one: pid; where the one with this pid runs, beside it */
	HELPER_LISTEN_PATH, /* listens at the path of the takeover: fd, id */
	/* removes the socket `id`, wherever it is of the places that the configuration in force, or
	   the one that was read last, has for sockets */
	HELPER_REMOVE,
	/* of a reload, in this order (reread.h) */
	HELPER_READ,             /* reads the configuration anew: data */
	HELPER_LISTEN,           /* index, nth, joins: fd, and id of a path */
	HELPER_LISTEN_NEXT_PATH, /* as HELPER_LISTEN_PATH, at the path that was read */
	HELPER_CHANGED,          /* what was read is in force */
	/* of the metrics' file (net/metrics_server.h): the one beside it, fd; keep: it takes its
	   place */
	HELPER_METRICS_BEGIN,
	HELPER_METRICS_END,
	HELPER_METRICS_PATH, /* and of the unix socket beside theirs: keep: that one goes */
	HELPER_TASKS
};

struct helper_work {
	enum helper_task task;
	int result; /* 0 or -errno, the reason in `why` */
	int fd;     /* the asker's to close; -1: none */
	pid_t pid;
	struct path_id id;
	unsigned index, nth;
	bool joins, keep;
	bool passes; /* set with the answer: it carries a descriptor, and helper_closed follows */
	void *data;  /* the asker's, so many bytes at most; of the answer exactly so many */
	size_t data_len;
	char why[HELPER_WHY_MAX];
};

struct helper {
	/* set by the caller: does what w->task says, and sets w->result; called in the helper */
	void (*work)(void *arg, struct helper_work *w);
	/* in the helper: a descriptor to watch, or -1, and what to do when it is readable */
	int (*watch)(void *arg);
	void (*poll)(void *arg);
	/* called while main waits for an answer: returns for how many ms it may wait on, -1: ever
	 */
	int (*meanwhile)(void *arg);
	void *arg;

	pthread_mutex_t lock; /* one asks at a time */
	bool started;         /* else all is done in this process */
	bool inside;          /* this process is it */
	int fd;               /* our end; -1: there is none, or it has gone */
};

/* Starts it. Before any thread. Returns 0 or -errno. */
int helper_start(struct helper *h);

/* Has w->task done, by the helper if it was started, else here and now; from any thread. Returns
 * w->result; -ESRCH: the helper has gone. */
int helper_ask(struct helper *h, struct helper_work *w);

/* path_remove, by the helper if it was started. Where it has gone the socket stays: whoever is to
 * listen there next finds it stale. */
void helper_remove_path(struct helper *h, const char *path, struct path_id id);

void helper_end(struct helper *h);

#endif
