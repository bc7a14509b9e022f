/* SPDX-License-Identifier: MIT
 * fail: the one vocabulary for how a connection ends: cause x phase, with the errno beside it.
 */
#ifndef ECHO_FAIL_H
#define ECHO_FAIL_H

#include <stdbool.h>

/* Causes. Their names (fail_name) are a public contract (JSON, metrics): add, never rename. */
enum fail {
	FAIL_NONE,             /* still alive */
	FAIL_FINISHED,         /* we closed it: end of the run, or of its churn */
	FAIL_EOF,              /* FIN, and nothing was owed to us */
	FAIL_EOF_EARLY,        /* FIN while we were owed bytes */
	FAIL_RESET,            /* ECONNRESET; a server's EPIPE */
	FAIL_REFUSED,          /* ECONNREFUSED */
	FAIL_TIMEOUT_CONNECT,  /* our own deadline for connect */
	FAIL_TIMEOUT_ANSWER,   /* our own deadline for the echo */
	FAIL_TIMEOUT_TCP,      /* ETIMEDOUT: the kernel gave up */
	FAIL_HOST_UNREACHABLE, /* EHOSTUNREACH, EHOSTDOWN */
	FAIL_NET_UNREACHABLE,  /* ENETUNREACH, ENETDOWN */
	FAIL_PROHIBITED,       /* EACCES, EPERM */
	FAIL_ABORTED,          /* ECONNABORTED: destroyed locally */
	FAIL_LOCAL_LIMIT,      /* EMFILE, ENFILE, EADDRNOTAVAIL, EADDRINUSE, ENOBUFS, ENOMEM */
	FAIL_CORRUPT,          /* bytes that are not the ones sent, or that nobody was owed */
	FAIL_OTHER,            /* any other errno, which stands beside it */
	/* ends that only a server gives */
	FAIL_IDLE_TIMEOUT, /* the peer was silent for idle_timeout */
	FAIL_STALLED,      /* the peer did not take its bytes for idle_timeout */
	FAIL_SHED,         /* at max_conns: ended for a newcomer, or turned away */
	FAIL_SHUTDOWN,     /* we are shutting down */
	FAIL_CHILD_KILLED, /* the process that served it died of a signal */
	FAIL_COUNT
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
enum fail fail_from_errno(enum phase at, int err);

/* "reset", "timeout_answer", ...; never NULL. */
const char *fail_name(enum fail why);
/* "connecting", "idle", ...; never NULL. */
const char *fail_phase_name(enum phase at);
/* "ECONNRESET", ..., "" for 0, "unknown errno" for what is none; static text, never NULL. */
const char *fail_errno_name(int err);

/* Whether this end says that the peer or the path failed: what opens an outage. Ends of our own
 * making (finished, corrupt, local_limit, the server's own causes) do not; every other one does, so
 * does aborted: whoever destroyed it, it was not us. */
bool fail_is_peers(enum fail why);

#endif
