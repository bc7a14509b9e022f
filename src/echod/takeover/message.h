/* SPDX-License-Identifier: MIT
 * message: what two echods say to each other over the socket of a takeover: one packet each
 * (SOCK_SEQPACKET), with descriptors beside it. Neither believes the other: lengths, counts and the
 * number of descriptors of every message are checked before anybody sees it.
 *
 *        successor                      the one that serves
 *            HELLO ---------------------->
 *            <---------------- LISTENERS (one or more)
 *            READY ---------------------->            it could start; nothing has changed yet
 *            <----------------------- GO              accepts nothing more
 *            SERVING -------------------->            accepts
 *            <-------------------- CONNS              a batch of connections, at rest
 *            KEPT ----------------------->            those it has room for; it touches none
 *            <------------------- COMMIT              they are its own
 *            <--------------------- DONE              with the socket at PATH
 *            TAKEN ---------------------->            it could serve alone
 *            <------------------- COMMIT              it does
 *
 * Either may say REFUSE, with a reason, and then closes.
 *
 * COMMIT alone decides who owns what was offered. A packet whose sending succeeded is in the queue
 * of the receiver, and one whose sending failed never will be: so the one that serves takes back
 * what it offered exactly if it has not sent COMMIT, and the successor has it exactly if COMMIT is
 * in its queue. A successor that waits no longer first shuts its end down, after which no COMMIT
 * can be sent, and then looks whether there is one (message_abort). An end without REFUSE is the
 * death of the other process: then the one that is left is the only owner.
 */
#ifndef ECHOD_MESSAGE_H
#define ECHOD_MESSAGE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "echo/base/addr.h"
#include "echo/net/move.h"

struct worker_group;

enum {
	MESSAGE_VERSION = 3,   /* of all but the head, which every version shares */
	MESSAGE_FDS_MAX = 253, /* SCM_MAX_FD, include/net/scm.h */
	MESSAGE_LISTENERS = 200,
	MESSAGE_LISTENERS_MAX = 16384, /* in all */
	MESSAGE_TEXT_MAX = 256,
};

enum message_type {
	MESSAGE_HELLO = 1,
	MESSAGE_LISTENERS_ARE,
	MESSAGE_READY,
	MESSAGE_GO,
	MESSAGE_SERVING,
	MESSAGE_CONNS,
	MESSAGE_KEPT,
	MESSAGE_DONE,
	MESSAGE_TAKEN,
	MESSAGE_REFUSE,
	MESSAGE_COMMIT,
	MESSAGE_TYPES
};

struct message_head {
	uint32_t magic;
	uint16_t version, type;
	uint32_t len;  /* of all, the head included */
	uint32_t zero; /* what follows is aligned for all */
};

struct message_hello {
	uint32_t adopts; /* 1: it can serve connections that are open */
};

/* One descriptor each: numbers first to first + count - 1 of total. */
struct message_listeners {
	uint32_t total, first, count, wary;           /* 1: worker.wary */
	char asked[MESSAGE_LISTENERS][ADDR_TEXT_MAX]; /* as configured: port 0 stays 0 */
};

/* taken[i]: listener i is the successor's, from GO on. */
struct message_ready {
	uint32_t total;
	uint8_t taken[MESSAGE_LISTENERS_MAX];
};

/* Descriptors: a file with all bytes that are owed, and the connections. */
struct message_conns {
	uint32_t count, zero;
	uint64_t owed[MOVE_MAX];
};

struct message_kept {
	uint32_t count;
	uint8_t kept[MOVE_MAX];
};

struct message_refuse {
	char text[MESSAGE_TEXT_MAX]; /* terminated */
};

struct message {
	struct message_head head;
	union {
		struct message_hello hello;
		struct message_listeners listeners;
		struct message_ready ready;
		struct message_conns conns;
		struct message_kept kept;
		struct message_refuse refuse;
	};
	/* beside it */
	int fds[MESSAGE_FDS_MAX];
	unsigned fd_count;
	bool fds_lost; /* there were more than this process may have open: it got none */
};

static_assert(offsetof(struct message, hello) == sizeof(struct message_head), "no gap");

/* One end of a conversation. */
struct talk {
	int fd;
	/* While workers run, signals and their ends are looked for too, unless this is NULL.
	 * @signalled returns whether the conversation must end. */
	struct worker_group *group;
	bool (*signalled)(void *arg, int signal);
	void *arg;
	struct message m;           /* the last that came, or the next that goes */
	char why[MESSAGE_TEXT_MAX]; /* set when a function has returned < 0: a reason, for the log
				     */
};

/* Sends t->m with the fields of @type filled in, and its descriptors, which stay the caller's.
 * Returns 0 or -errno. */
int message_send(struct talk *t, enum message_type type);

/* Waits at most @timeout_ms for a message, which must be one of the types @a or @b (0: none) and
 * right in itself. Its descriptors are the caller's. Returns its type, or -errno: -ECONNRESET: all
 * that the other side sent has been read, no REFUSE was there, and it has gone; -ECONNREFUSED: it
 * has refused; -ECANCELED: a signal, or a worker has ended; -ETIMEDOUT; -EPROTO; -EPROTONOSUPPORT:
 * another version. */
int message_receive(struct talk *t, int timeout_ms, enum message_type a, enum message_type b);

void message_close_fds(struct message *m);

/* Ends the conversation: says REFUSE with this reason, and closes. If it cannot be said to a side
 * that is still there the socket stays open: an end without REFUSE would be taken for a death. */
void message_refuse(struct talk *t, const char *why);

/* Says REFUSE with the reason in t->why, and lets nothing more come. Returns whether COMMIT had
 * come before that; if not, the other side cannot send it any more. What is left is message_refuse.
 */
bool message_abort(struct talk *t);

#endif
