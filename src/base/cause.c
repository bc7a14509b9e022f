/* SPDX-License-Identifier: MIT
 * cause: a row for each way in which connections end, and the one place that turns an errno into a
 * cause. An errno that no row has is `other` and stands beside it: nothing is guessed.
 */
#include "echo/base/cause.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/program.h"

/* What an end says of the run. */
enum effect {
	AS_ASKED,  /* it is no error */
	OUR_ERROR, /* ours, or the server's own causes */
	OUR_LIMIT, /* this machine has not what the load needs */
	OF_PEER,   /* the peer or the path failed: an outage may have begun */
};

static const int exit_codes[] = {
	[AS_ASKED] = EXIT_OK,
	[OUR_ERROR] = EXIT_VERDICT,
	[OUR_LIMIT] = EXIT_ENVIRONMENT,
	[OF_PEER] = EXIT_VERDICT,
};

/* All that is known of a cause: its name in JSON and metrics, the text for readers of a report
 * (NULL: the name), its effect, and the errnos of recv, send and connect that stand for it. */
struct row {
	const char *name, *text;
	enum effect effect;
	int errnos[7];
};

#define ROW(cause_, name_, text_, effect_, ...)                                                    \
	[CAUSE_##cause_] = { #name_, text_, effect_, { __VA_ARGS__ } }

static const struct row rows[] = {
	ROW(NONE, none, NULL, AS_ASKED),
	ROW(FINISHED, finished, NULL, AS_ASKED),
	ROW(EOF, eof, "end of file", OF_PEER),
	ROW(EOF_EARLY, eof_early, "end of file instead of the answer", OF_PEER),
	/* EPIPE: a reset behind a FIN, which was no end yet for who gives us this: a server */
	ROW(RESET, reset, "`ECONNRESET`", OF_PEER, ECONNRESET, EPIPE),
	/* ENOENT: a unix socket that its server has taken away */
	ROW(REFUSED, refused, "`ECONNREFUSED`", OF_PEER, ECONNREFUSED, ENOENT),
	ROW(TIMEOUT_CONNECT, timeout_connect, "its own time limit", OF_PEER),
	ROW(TIMEOUT_ANSWER, timeout_answer, "its own time limit", OF_PEER),
	ROW(TIMEOUT_TCP, timeout_tcp, "`ETIMEDOUT`", OF_PEER, ETIMEDOUT),
	ROW(HOST_UNREACHABLE, host_unreachable, "`EHOSTUNREACH`", OF_PEER, EHOSTUNREACH, EHOSTDOWN),
	ROW(NET_UNREACHABLE, net_unreachable, "`ENETUNREACH`", OF_PEER, ENETUNREACH, ENETDOWN),
	ROW(PROHIBITED, prohibited, "`EACCES`", OF_PEER, EACCES, EPERM),
	ROW(ABORTED, aborted, "`ECONNABORTED`", OF_PEER, ECONNABORTED),
	/* EADDRNOTAVAIL: connect found all local ports in use; ENOSPC: epoll's max_user_watches */
	ROW(LOCAL_LIMIT, local_limit, NULL, OUR_LIMIT, EMFILE, ENFILE, EADDRNOTAVAIL, EADDRINUSE,
	    ENOBUFS, ENOMEM, ENOSPC),
	ROW(CORRUPT, corrupt, NULL, OUR_ERROR),
	ROW(OTHER, other, NULL, OF_PEER),
	ROW(IDLE_TIMEOUT, idle_timeout, NULL, OUR_ERROR),
	ROW(STALLED, stalled, NULL, OUR_ERROR),
	ROW(SHED, shed, NULL, OUR_ERROR),
	ROW(SHUTDOWN, shutdown, NULL, OUR_ERROR),
	ROW(CHILD_KILLED, child_killed, NULL, OUR_ERROR),
	ROW(MOVED, moved, NULL, AS_ASKED),
	ROW(ADDRESS_LIMIT, address_limit, NULL, OUR_ERROR),
	ROW(RATE_LIMIT, rate_limit, NULL, OUR_ERROR),
	ROW(SLOW, slow, NULL, OUR_ERROR),
};
static_assert(ARRAY_LEN(rows) == CAUSE_COUNT, "every cause has a row");

static const char *const phase_names[] = {
	[PHASE_CONNECTING] = "connecting", [PHASE_IDLE] = "idle",       [PHASE_SENDING] = "sending",
	[PHASE_AWAITING] = "awaiting",     [PHASE_CLOSING] = "closing",
};
static_assert(ARRAY_LEN(phase_names) == PHASE_COUNT, "every phase has a name");

static enum cause end_of_input(enum phase at)
{
	return at == PHASE_SENDING || at == PHASE_AWAITING ? CAUSE_EOF_EARLY : CAUSE_EOF;
}

enum cause cause_from_errno(enum phase at, int err)
{
	assert(at < PHASE_COUNT);
	assert(err >= 0);
	if (err == 0)
		return end_of_input(at);
	for (enum cause cause = CAUSE_NONE; cause < CAUSE_COUNT; cause++) {
		for (size_t i = 0; i < ARRAY_LEN(rows->errnos) && rows[cause].errnos[i]; i++) {
			if (rows[cause].errnos[i] == err)
				return cause;
		}
	}
	return CAUSE_OTHER;
}

const char *cause_name(enum cause cause)
{
	assert(cause < CAUSE_COUNT);
	return rows[cause].name;
}

const char *cause_text(enum cause cause)
{
	assert(cause < CAUSE_COUNT);
	return rows[cause].text ? rows[cause].text : rows[cause].name;
}

enum cause cause_find(const char *name)
{
	enum cause cause = CAUSE_NONE;

	while (cause < CAUSE_COUNT && strcmp(rows[cause].name, name) != 0)
		cause++;
	return cause;
}

int cause_exit_code(enum cause cause)
{
	assert(cause < CAUSE_COUNT);
	return exit_codes[rows[cause].effect];
}

const char *cause_phase_name(enum phase at)
{
	assert(at < PHASE_COUNT);
	return phase_names[at];
}

const char *cause_errno_name(int err)
{
	const char *name = strerrorname_np(err);

	if (err == 0)
		return ""; /* glibc says "0" */
	return name ? name : "unknown errno";
}

bool cause_is_peers(enum cause cause)
{
	assert(cause < CAUSE_COUNT);
	return rows[cause].effect == OF_PEER;
}

bool cause_is_limit(enum cause cause)
{
	return cause == CAUSE_STALLED || cause == CAUSE_SHED || cause == CAUSE_ADDRESS_LIMIT ||
	       cause == CAUSE_RATE_LIMIT || cause == CAUSE_SLOW;
}
