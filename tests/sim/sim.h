/* SPDX-License-Identifier: MIT
 * sim: a kernel made of choices, beneath the real code of a worker and a backend. Its files:
 *
 *     choice.c   where decisions come from: a seed, or a list that is being shortened
 *     flow.c     one connection as the kernel sees it: queues, FIN, RST, what poll says
 *     world.c    what goes on outside of the process: peers, time, requests to stop
 *     file.c     descriptors, and the system calls on them
 *     epoll.c    epoll, its edges
 *     ring.c     io_uring: requests, completions, buffers, cancels; ring_op.c: what a request does
 *     checker.c  what net/contract.c cannot know: the right bytes and names, and as processes sleep
 *     fair.c     nobody waits for ever while others have work
 *     mover.c    connections that change processes
 *     client.c   a role that dials; the echo server is the real one
 *     run.c      one schedule from its choices; shrink.c: fewer of them that fail alike
 *
 * The process is one worker's thread. While it runs nothing else does; the world moves within its
 * system calls, and when it waits.
 */
#ifndef SIM_H
#define SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "choice.h"
#include "echo/net/role.h"

struct backend_ops;
struct conn;
struct worker;

enum { SIM_WHY_MAX = 256, FLOWS_MAX = 8 };

enum sim_backend { SIM_EPOLL, SIM_URING, SIM_BACKENDS };
enum sim_role { SIM_ECHO, SIM_CLIENT, SIM_ROLES };

/* What a schedule consists of, in memory that the process which judges it shares. */
struct sim_report {
	uint64_t seed, steps; /* of the schedule that runs; of all */
	uint64_t schedules;
	char rule[64], why[SIM_WHY_MAX]; /* what was broken; "": nothing */
	struct choices choices;
};

struct sim {
	enum sim_backend backend;
	enum sim_role role;
	bool trace;
	bool faults; /* calls may fail for want of memory and the like */
	bool scarce; /* few small buffers and a small pool, for which many wait */
	bool calm;   /* peers seldom leave: what lasts for many turns needs all of them */
	struct worker *worker;
	int64_t now_ns;
	struct sim_report *report;
};
extern struct sim sim;

/* The schedule has broken a rule: says which and ends the process. */
void sim_fail(const char *rule, const char *format, ...)
	__attribute__((noreturn, format(printf, 2, 3)));

/* Says what happens, if somebody wants to see it. */
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define TRACE(...)                                                                                 \
	do {                                                                                       \
		if (__builtin_expect(sim.trace, 0))                                                \
			sim_trace(__VA_ARGS__);                                                    \
	} while (0)

/* ---- flow.c: a connection ---- */

enum flow_state { FLOW_UNUSED, FLOW_QUEUED, FLOW_CONNECTING, FLOW_OPEN, FLOW_CLOSED };
enum flow_end { END_NONE, END_FIN, END_RST };

struct flow {
	unsigned id;
	enum flow_state state; /* of our socket; CLOSED: its last descriptor is gone */
	struct file *file;
	size_t sndbuf, rcvbuf, window; /* of our socket; that our peer's kernel takes */

	/* from the peer */
	uint64_t arrived, read; /* bytes */
	uint64_t urgent;        /* offset of the urgent byte; UINT64_MAX: none */
	int64_t moved_ns;       /* when bytes last moved, either way */
	int64_t room_ns;        /* since then the socket takes bytes, where it did not before */
	int64_t out_ns;         /* when some were last written, or acknowledged */
	int64_t written_ns;     /* when some were last written */
	int64_t unread_ns;      /* since then the oldest event has not been read; 0: none */
	bool fin, rst;          /* have come */
	enum flow_end first;    /* of those two */
	int64_t end_ns;         /* when that came */
	int err;                /* the next call returns it */

	/* to the peer */
	uint64_t written, taken, consumed; /* by our calls, their kernel, their program */
	bool nospace;                      /* a call or poll found no room: tell when there is */
	bool pressed;                      /* the kernel has no memory for more, for now */
	bool shut, reset;                  /* we have sent FIN, RST */

	/* the peer */
	uint64_t plan;           /* bytes that it will send; of an echo server what it consumed */
	bool ended;              /* it has sent its FIN */
	bool gone;               /* it has closed: what comes draws a reset */
	bool rst_due;            /* which is on its way */
	bool got_fin, got_reset; /* of ours */
	int fault;               /* errno of a call that failed for no reason of the peer's */

	/* the checker's */
	uint64_t echoed;    /* bytes that the role wanted back */
	uint64_t delivered; /* to the role */
	struct conn *conn;
	uint64_t done;  /* for it, by the last turn */
	unsigned turns; /* that it has waited since then */
	bool away;      /* with another process */
	bool let_go;    /* the role has ended it before the peer did */
};

/* The bytes of a flow's stream, from an offset on: at least FLOW_SPAN of them lie together. */
enum { FLOW_SPAN = 1 << 16 };
const char *flow_bytes(const struct flow *f, uint64_t at);

struct flow *flow_new(enum flow_state state);
ssize_t flow_recv(struct flow *f, void *buf, size_t len, int flags); /* a count or -errno */
ssize_t flow_send(struct flow *f, const void *buf, size_t len);
unsigned flow_poll(struct flow *f); /* as poll(2) and epoll would say; asks for news of room */
unsigned flow_events(const struct flow *f); /* the same, and asks for nothing */
void flow_shut(struct flow *f);
/* Whether its end is still to come: where the ring's table keeps a file close is not that. */
bool flow_lives(const struct flow *f);
void flow_close(struct flow *f, bool abort);
/* What the peer and its kernel do. */
void flow_arrive(struct flow *f, size_t n);
void flow_fin(struct flow *f);
void flow_rst(struct flow *f);
void flow_ack(struct flow *f);

/* ---- world.c ---- */

void world_begin(unsigned flows, unsigned budget);
/* Of @n bytes as many as one sends in this schedule: a scarce one is not to take all steps. */
unsigned world_most(unsigned n);
extern struct flow world_flows[FLOWS_MAX];
extern unsigned world_flow_count;
/* Within a system call: time passes, and perhaps more. */
void world_tick(void);
/* The process is stopped for a while, and may find the kernel short of memory then. */
void world_pause(void);
/* A submit finds no memory. */
bool world_lacks_memory(void);
/* Lets the world go on until @ready says so, or for @wait_ns (-1: for ever). Returns whether it
 * is. */
bool world_wait(bool (*ready)(void), int64_t wait_ns);
/* A call fails, once in a while, if this schedule has such. */
bool world_fault(unsigned once_in);
bool world_stopping(void);
/* Bytes have moved: who calls on and on does not do so for nothing. */
void world_moved(void);

/* ---- file.c ---- */

enum file_kind { FILE_NONE, FILE_FLOW, FILE_LISTENER, FILE_EVENT, FILE_EPOLL, FILE_RING };

struct file {
	enum file_kind kind;
	unsigned refs; /* descriptors, and entries in a ring's table */
	struct flow *flow;
	uint64_t count; /* of an eventfd */
	bool nonblock, abort;
	/* its registration */
	bool watched, ready;
	uint32_t events;
	uint64_t data;
};

enum { FILES_MAX = 64, FD_BASE = 1000 };
extern struct file file_table[FILES_MAX];

void file_begin(void);
struct file *file_of(int fd); /* NULL: it is none of ours, or closed */
int file_open(enum file_kind kind, struct flow *flow);
int file_listen(void); /* the one listener */
int file_close(int fd);
int file_dup(int fd); /* another descriptor of the same file */
void file_put(struct file *f);
unsigned file_poll(struct file *f);
/* Something has happened: tells epoll and the ring. */
void file_wake(struct file *f, unsigned events);
int file_accept(int fd, int flags);
void file_signal(void); /* wakes the worker */
unsigned file_open_count(enum file_kind kind);
struct flow *file_queued(void); /* the first that waits to be accepted */

/* ---- ring.c, ring_op.c ---- */

void ring_begin(void);
void ring_wake(const struct file *f, unsigned events);
/* Completions that a kernel which does not defer them makes in any call. */
void ring_tick(void);
/* Requests in flight that name this file. */
unsigned ring_pending(const struct file *f);
/* One of them has been woken, and the kernel has not let it run yet. */
bool ring_owes(const struct file *f);
/* Whether who was woken first runs first. Else anybody may, and nobody can be served in turn. */
bool ring_keeps_order(void);
bool ring_in_use(void);

/* ---- checker.c ---- */

const struct role *checker_role(const struct role *inner);
const struct backend_ops *checker_backend(const struct backend_ops *inner);
/* The process asks for what has come. */
void checker_looks(void);
/* The process goes to sleep, and nothing is ready: nobody may be forgotten. */
void checker_asleep(void);
/* Our socket of @f is closed; @clean: with a FIN behind all that was written. */
void checker_closed(const struct flow *f, bool clean);
/* The loop is over. */
void checker_over(void);

/* ---- fair.c ---- */

void fair_begin(int64_t now_ns);
/* A turn begins. */
void fair_turn(const struct worker *w);

/* ---- client.c ---- */

extern const struct role client_role;
void client_begin(unsigned count);

/* ---- mover.c ---- */

void mover_begin(void);
/* A connection is on its way: nobody stops the worker then. */
bool mover_is_busy(void);
void mover_turned(struct worker *w);

/* ---- run.c, shrink.c ---- */

/* Runs one schedule from the choices that have been set. Does not return when a rule is broken. */
void run_schedule(void);
/* Makes @r the shortest failing list of choices that is found. Returns the number of tries. */
unsigned shrink_failure(struct sim_report *r);

#endif
