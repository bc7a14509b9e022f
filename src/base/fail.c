/* SPDX-License-Identifier: MIT
 * fail: names for how connections end, and the one place that turns an errno into a cause. What is
 * not in the table is `other`, with its errno beside it: nothing is guessed.
 */
#include "echo/base/fail.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "echo/base/base.h"

static const char *const fail_names[] = {
	[FAIL_NONE] = "none",
	[FAIL_FINISHED] = "finished",
	[FAIL_EOF] = "eof",
	[FAIL_EOF_EARLY] = "eof_early",
	[FAIL_RESET] = "reset",
	[FAIL_REFUSED] = "refused",
	[FAIL_TIMEOUT_CONNECT] = "timeout_connect",
	[FAIL_TIMEOUT_ANSWER] = "timeout_answer",
	[FAIL_TIMEOUT_TCP] = "timeout_tcp",
	[FAIL_HOST_UNREACHABLE] = "host_unreachable",
	[FAIL_NET_UNREACHABLE] = "net_unreachable",
	[FAIL_PROHIBITED] = "prohibited",
	[FAIL_ABORTED] = "aborted",
	[FAIL_LOCAL_LIMIT] = "local_limit",
	[FAIL_CORRUPT] = "corrupt",
	[FAIL_OTHER] = "other",
	[FAIL_IDLE_TIMEOUT] = "idle_timeout",
	[FAIL_STALLED] = "stalled",
	[FAIL_SHED] = "shed",
	[FAIL_SHUTDOWN] = "shutdown",
	[FAIL_CHILD_KILLED] = "child_killed",
};
static_assert(ARRAY_LEN(fail_names) == FAIL_COUNT, "every cause has a name");

static const char *const phase_names[] = {
	[PHASE_CONNECTING] = "connecting", [PHASE_IDLE] = "idle",       [PHASE_SENDING] = "sending",
	[PHASE_AWAITING] = "awaiting",     [PHASE_CLOSING] = "closing",
};
static_assert(ARRAY_LEN(phase_names) == PHASE_COUNT, "every phase has a name");

static enum fail end_of_input(enum phase at)
{
	return at == PHASE_SENDING || at == PHASE_AWAITING ? FAIL_EOF_EARLY : FAIL_EOF;
}

enum fail fail_from_errno(enum phase at, int err)
{
	assert(at < PHASE_COUNT);
	assert(err >= 0);
	switch (err) {
	case 0:
		return end_of_input(at);
	case ECONNRESET:
	case EPIPE: /* a reset behind a FIN, which was no end yet for who says this: a server */
		return FAIL_RESET;
	case ECONNREFUSED:
		return FAIL_REFUSED;
	case ETIMEDOUT:
		return FAIL_TIMEOUT_TCP;
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return FAIL_HOST_UNREACHABLE;
	case ENETUNREACH:
	case ENETDOWN:
		return FAIL_NET_UNREACHABLE;
	case EACCES:
	case EPERM:
		return FAIL_PROHIBITED;
	case ECONNABORTED:
		return FAIL_ABORTED;
	case EMFILE:
	case ENFILE:
	case EADDRNOTAVAIL: /* connect: all local ports are in use */
	case EADDRINUSE:
	case ENOBUFS:
	case ENOMEM:
		return FAIL_LOCAL_LIMIT;
	default:
		return FAIL_OTHER;
	}
}

const char *fail_name(enum fail why)
{
	assert(why < FAIL_COUNT);
	return fail_names[why];
}

const char *fail_phase_name(enum phase at)
{
	assert(at < PHASE_COUNT);
	return phase_names[at];
}

const char *fail_errno_name(int err)
{
	const char *name = strerrorname_np(err);

	if (err == 0)
		return ""; /* glibc says "0" */
	return name ? name : "unknown errno";
}

bool fail_is_peers(enum fail why)
{
	static const bool ours[FAIL_COUNT] = {
		[FAIL_NONE] = true,         [FAIL_FINISHED] = true, [FAIL_LOCAL_LIMIT] = true,
		[FAIL_CORRUPT] = true,      [FAIL_SHED] = true,     [FAIL_SHUTDOWN] = true,
		[FAIL_IDLE_TIMEOUT] = true, [FAIL_STALLED] = true,  [FAIL_CHILD_KILLED] = true,
	};

	assert(why < FAIL_COUNT);
	return !ours[why];
}
