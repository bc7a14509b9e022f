/* SPDX-License-Identifier: MIT
 * cause: names for how connections end, and the one place that turns an errno into a cause. What is
 * not in the table is `other`, with its errno beside it: nothing is guessed.
 */
#include "echo/base/cause.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "echo/base/base.h"

static const char *const cause_names[] = {
	[CAUSE_NONE] = "none",
	[CAUSE_FINISHED] = "finished",
	[CAUSE_EOF] = "eof",
	[CAUSE_EOF_EARLY] = "eof_early",
	[CAUSE_RESET] = "reset",
	[CAUSE_REFUSED] = "refused",
	[CAUSE_TIMEOUT_CONNECT] = "timeout_connect",
	[CAUSE_TIMEOUT_ANSWER] = "timeout_answer",
	[CAUSE_TIMEOUT_TCP] = "timeout_tcp",
	[CAUSE_HOST_UNREACHABLE] = "host_unreachable",
	[CAUSE_NET_UNREACHABLE] = "net_unreachable",
	[CAUSE_PROHIBITED] = "prohibited",
	[CAUSE_ABORTED] = "aborted",
	[CAUSE_LOCAL_LIMIT] = "local_limit",
	[CAUSE_CORRUPT] = "corrupt",
	[CAUSE_OTHER] = "other",
	[CAUSE_IDLE_TIMEOUT] = "idle_timeout",
	[CAUSE_STALLED] = "stalled",
	[CAUSE_SHED] = "shed",
	[CAUSE_SHUTDOWN] = "shutdown",
	[CAUSE_CHILD_KILLED] = "child_killed",
};
static_assert(ARRAY_LEN(cause_names) == CAUSE_COUNT, "every cause has a name");

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
	switch (err) {
	case 0:
		return end_of_input(at);
	case ECONNRESET:
	case EPIPE: /* a reset behind a FIN, which was no end yet for who says this: a server */
		return CAUSE_RESET;
	case ECONNREFUSED:
		return CAUSE_REFUSED;
	case ETIMEDOUT:
		return CAUSE_TIMEOUT_TCP;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return CAUSE_HOST_UNREACHABLE;
	case ENETUNREACH:
	case ENETDOWN:
		return CAUSE_NET_UNREACHABLE;
	case EACCES:
	case EPERM:
		return CAUSE_PROHIBITED;
	case ECONNABORTED:
		return CAUSE_ABORTED;
	case EMFILE:
	case ENFILE:
	case EADDRNOTAVAIL: /* connect: all local ports are in use */
	case EADDRINUSE:
	case ENOBUFS:
	case ENOMEM:
		return CAUSE_LOCAL_LIMIT;
	default:
		return CAUSE_OTHER;
	}
}

const char *cause_name(enum cause cause)
{
	assert(cause < CAUSE_COUNT);
	return cause_names[cause];
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
	static const bool ours[CAUSE_COUNT] = {
		[CAUSE_NONE] = true,         [CAUSE_FINISHED] = true, [CAUSE_LOCAL_LIMIT] = true,
		[CAUSE_CORRUPT] = true,      [CAUSE_SHED] = true,     [CAUSE_SHUTDOWN] = true,
		[CAUSE_IDLE_TIMEOUT] = true, [CAUSE_STALLED] = true,  [CAUSE_CHILD_KILLED] = true,
	};

	assert(cause < CAUSE_COUNT);
	return !ours[cause];
}
