/* SPDX-License-Identifier: MIT
 * cause: the one vocabulary for how a connection ends: cause x phase, with the errno beside it.
 */
#ifndef ECHO_CAUSE_H
#define ECHO_CAUSE_H

#include <stdbool.h>

/* Causes. Their names (cause_name) are a public contract (JSON, metrics): add, never rename. */
enum cause {
	CAUSE_NONE,             /* still alive */
	CAUSE_FINISHED,         /* we closed it: end of the run, or of its churn */
	CAUSE_EOF,              /* FIN, and nothing was owed to us */
	CAUSE_EOF_EARLY,        /* FIN while we were owed bytes */
	CAUSE_RESET,            /* ECONNRESET; a server's EPIPE */
	CAUSE_REFUSED,          /* ECONNREFUSED; of a unix socket ENOENT too */
	CAUSE_TIMEOUT_CONNECT,  /* our own deadline for connect */
	CAUSE_TIMEOUT_ANSWER,   /* our own deadline for the echo */
	CAUSE_TIMEOUT_TCP,      /* ETIMEDOUT: the kernel gave up */
	CAUSE_HOST_UNREACHABLE, /* EHOSTUNREACH, EHOSTDOWN */
	CAUSE_NET_UNREACHABLE,  /* ENETUNREACH, ENETDOWN */
	CAUSE_PROHIBITED,       /* EACCES, EPERM */
	CAUSE_ABORTED,          /* ECONNABORTED: destroyed locally */
	CAUSE_LOCAL_LIMIT,      /* EMFILE, ENFILE, EADDRNOTAVAIL, EADDRINUSE, ENOBUFS, ENOMEM,
				   ENOSPC (epoll_ctl) */
	CAUSE_CORRUPT,          /* bytes that differ from the ones sent, or that were not owed */
	CAUSE_OTHER,            /* any other errno, which stands beside it */
	/* ends that only a server gives */
	CAUSE_IDLE_TIMEOUT,  /* the peer was silent for idle_timeout */
	CAUSE_STALLED,       /* the peer did not take its bytes for idle_timeout */
	CAUSE_SHED,          /* at max_conns: ended for a newcomer, or turned away */
	CAUSE_SHUTDOWN,      /* we are shutting down */
	CAUSE_CHILD_KILLED,  /* the process that served it died of a signal */
	CAUSE_MOVED,         /* no end: another process serves it from now on */
	CAUSE_ADDRESS_LIMIT, /* turned away: its address has as many as it may */
	CAUSE_RATE_LIMIT,    /* turned away: as many have come within a second as may */
	CAUSE_SLOW,          /* the peer did not take all that it was owed within slow_timeout */
	CAUSE_COUNT
};

/* What a connection was doing when it ended. */
enum phase {
	PHASE_CONNECTING,
	PHASE_IDLE,     /* open, nothing owed in either direction */
	PHASE_SENDING,  /* bytes of ours have not left yet */
	PHASE_AWAITING, /* all sent, an echo is owed */
	PHASE_CLOSING,  /* our FIN is sent */
	PHASE_COUNT
};

/* The cause that the result of recv, send or connect stands for: @err is the errno (positive; a
 * completion's -res), or 0 for end of input, which in phase sending or awaiting is early.
 *
 * Give it only errnos that came from the call itself. SO_ERROR consumes the errno of a dead
 * socket (recv then returns 0: a reset would be counted as EOF) and shows soft ICMP errors of a
 * healthy one; it may be trusted only for a connect that has not finished. An epoll event says
 * that something happened, never what: call recv and name that. What a send says is no end either
 * while recv has more to tell: EPIPE says that a FIN came before the reset (conn_send_failed). */
enum cause cause_from_errno(enum phase at, int err);

/* "reset", "timeout_answer", ...; never NULL. */
const char *cause_name(enum cause cause);
/* What a reader of a report is told: "`ECONNRESET`", else the name. Never NULL. */
const char *cause_text(enum cause cause);
/* The cause of this name, CAUSE_COUNT: there is none. */
enum cause cause_find(const char *name);
/* The exit code of a run in which connections ended so and nothing else went wrong. */
int cause_exit_code(enum cause cause);
/* "connecting", "idle", ...; never NULL. */
const char *cause_phase_name(enum phase at);
/* "ECONNRESET", ..., "" for 0, "unknown errno" for what is none; static text, never NULL. */
const char *cause_errno_name(int err);

/* Whether this end says that the peer or the path failed: what opens an outage. Ends of our own
 * making (finished, corrupt, local_limit, the server's own causes) do not; every other one does, so
 * does aborted, since it was not this program that destroyed the socket. */
bool cause_is_peers(enum cause cause);

/* Whether a limit that somebody has set is what ended it, or turned it away: worth a line in a log.
 */
bool cause_is_limit(enum cause cause);

#endif
