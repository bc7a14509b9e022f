/* SPDX-License-Identifier: MIT
 * backend: a way to do the I/O. A backend owns every kernel operation and every receive buffer, and
 * tells the connection what happened (conn.h); it decides nothing.
 */
#ifndef ECHO_BACKEND_H
#define ECHO_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct addr;
struct conn;
struct net_config;
struct opt;
struct opt_set;
struct opt_type;
struct sock_progress;
struct worker;

enum { BACKEND_WHY_MAX = 192 };

/* A system call. With a mask: one whose argument number @arg, of those bits, is @value. */
struct backend_call {
	int number; /* SYS_... */
	unsigned arg;
	uint64_t mask, value;
};

#define BACKEND_CALLS_END                                                                          \
	{                                                                                          \
		.number = -1                                                                       \
	}

enum backend_caps {
	BACKEND_ACCEPT = 1 << 0,  /* can serve: echod */
	BACKEND_CONNECT = 1 << 1, /* can dial: echoload */
	BACKEND_SINGLE = 1 << 2,  /* one worker only, no event loop: fork */
};

struct backend_ops {
	const char *name, *help;
	unsigned caps;
	size_t state_size;      /* private state of a worker, zeroed before init */
	size_t conn_size;       /* private bytes of a connection, zeroed when its slot is taken */
	const struct opt *opts; /* keys of the section [<name>], may be NULL */
	const struct opt *dial_opts; /* of them those that mean something to a client; NULL: all */
	size_t config_size;          /* of the struct that they fill */

	/* Checks across its options, NULL: there are none. 0, or -EINVAL with s->error. */
	int (*check)(struct opt_set *s, const void *config);
	/* 0, or -errno when this kernel cannot run it; *why then says what is missing (static).
	 * Whether there is enough memory for what is configured, init finds out. */
	int (*probe)(const char **why);

	/* In the worker's thread. init undoes itself on failure and returns -errno. */
	int (*init)(struct worker *w);
	/* Says what it was that init lacked when it failed with @err (> 0); NULL: the errno does.
	 */
	void (*lacks)(const struct net_config *config, int err, char why[BACKEND_WHY_MAX]);
	void (*fini)(struct worker *w);

	/* Waits once, for w->wake_fd too (then shed_woken), at most @wait_ns (-1: for ever, 0: not
	 * at all), sets w->now_ns after the wait and delivers what is ready, bounded in work.
	 * Returns 0 or -errno: the worker cannot go on. */
	int (*turn)(struct worker *w, int64_t wait_ns);

	int (*listen)(struct worker *w, int fd); /* starts to accept; 0 or -errno */
	/* Stops to accept; before that accepts what is queued, if @drain. */
	void (*unlisten)(struct worker *w, int fd, bool drain);

	/* Serves @fd, which another worker has accepted as `listen` has it done; NULL where there
	 * is only one worker. */
	void (*serve)(struct worker *w, int fd);

	/* c->fd is connecting; tells conn_opened or conn_fail later. 0 or -errno. */
	int (*dial)(struct conn *c);
	void (*send)(struct conn *c);     /* c->span, c->span_len; see conn_send */
	void (*shutdown)(struct conn *c); /* FIN now (all is sent); then conn_fin_sent */

	/* Stops naming it: afterwards either c->inflight is 0, or the backend calls conn_release
	 * after the last completion. The descriptor is open until then. */
	void (*close)(struct conn *c);
	/* Closes a descriptor of which nothing is asked any more, now or when the worker waits
	 * next. NULL: close(2). */
	void (*close_fd)(struct worker *w, int fd);

	/* For moves between processes (move.h); all of them are NULL where connections cannot be
	 * moved (fork).
	 *
	 * Lets go of a connection that is MOVING: cancels what is in flight and delivers nothing
	 * more. Returns 1 when neither the backend nor the kernel names it any more, 0 if
	 * completions are still to come: then it is called again after the next turn; or -errno: it
	 * must stay. */
	int (*detach)(struct conn *c);
	/* Calls @each for the bytes that its peer is owed, oldest first: unsent ones, and what was
	 * received and has not been delivered. After detach has returned 1. */
	void (*owed)(const struct conn *c, void (*each)(void *arg, const void *span, size_t len),
		     void *arg);
	/* Serves a connection that is OPEN again, or for the first time: sends what is unsent and
	 * receives. What was detached before need not have become quiet. 0 or -errno. */
	int (*attach)(struct conn *c);

	/* w->config is another one than at init, of the same backend: what was computed from it is
	 * computed again. Between two turns; may be NULL. */
	void (*configured)(struct worker *w);

	/* How far the connection has come, where c->fd cannot be asked (fork); else NULL. */
	void (*progress)(const struct conn *c, struct sock_progress *p);

	/* The system calls that it makes once init has returned, in its processes too, beside those
	 * of any program that serves (echod/sandbox/filter.c); the most frequent first. NULL: none.
	 */
	const struct backend_call *calls;

	/* Of a backend that serves elsewhere than in its worker (fork): begins the end of what runs
	 * there; may be NULL. */
	void (*stop)(struct worker *w);
};

/* All of them, best first: a backend is a file that defines backend_NAME, and its name here. */
#define BACKENDS(X)           X(uring) X(epoll) X(fork)
#define BACKEND_EXTERN(name_) extern const struct backend_ops backend_##name_;
BACKENDS(BACKEND_EXTERN)

/* The same, NULL-terminated. */
extern const struct backend_ops *const backends[];

/* What opt_backend takes in a server, and in a client: names that a shell offers. */
extern const char *const backend_names[], *const backend_dial_names[];

/* A backend by name; the field is `const struct backend_ops *`, NULL for "auto". */
extern const struct opt_type opt_backend;

/* The backend of this name, NULL if there is none. */
const struct backend_ops *backend_find(const char *name);

/* The best backend with all of @caps that this kernel runs. *why: one static sentence or "" on what
 * better ones lack. Never fails: epoll is always there. */
const struct backend_ops *backend_auto(unsigned caps, const char **why);

enum { BACKENDS_MAX = 8 };

/* What a program has chosen, and the options of all that it could have. */
struct backend_choice {
	const struct backend_ops *ops;
	const void *config;          /* what ops->opts filled */
	const char *why;             /* "auto": what better ones lack, or "" */
	unsigned caps;               /* that it must have */
	bool automatic;              /* "auto": another may take its place */
	char lacks[BACKEND_WHY_MAX]; /* for `why` */
	void *configs[BACKENDS_MAX]; /* beside `backends` */
};

/* Adds a section for each backend with @caps that has options, and the names of all of them to what
 * --version says. Returns 0 or -ENOMEM. */
int backend_options(struct backend_choice *b, unsigned caps, struct opt_set *s);

/* Takes @wanted if it runs here, or, if that is NULL, the best that does. Returns 0, or -errno with
 * b->why set. */
int backend_choose(struct backend_choice *b, unsigned caps, const struct backend_ops *wanted);

/* Checks across the options of the one that was chosen. 0, or -EINVAL with s->error. */
int backend_check(const struct backend_choice *b, struct opt_set *s);

/* Workers of @config could not be prepared, for @err (> 0): says in b->why what was lacking. If b
 * was chosen here ("auto") the next best one takes its place, in @config too. Returns whether there
 * is one. */
bool backend_instead(struct backend_choice *b, struct net_config *config, int err);
void backend_choice_free(struct backend_choice *b);

#endif
