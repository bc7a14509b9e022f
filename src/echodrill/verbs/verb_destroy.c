/* SPDX-License-Identifier: MIT
 * verb_destroy: all connections of a host are destroyed, as `ss -K` does it, without a word to the
 * peers. As a fault it counts when the sockets are gone.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "doing.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/loop.h"
#include "echodrill/stage/run.h"

static bool no_connections(struct run *r, void *arg)
{
	const struct step *s = arg;
	struct diag_states now;
	unsigned count = 0;

	if (loop_states(r, s->host, &now) < 0)
		return false;
	for (unsigned i = 1; i < DIAG_STATES; i++)
		count += i == 10 /* LISTEN */ ? 0 : now.count[i];
	return count == 0;
}

/* Only connections: a listener of a server that was started again stays. */
static int destroy_act(struct doing *d)
{
	const char *const argv[] = { "ss",    "-K",
				     "-tan",  d->r->hosts.family == 6 ? "-6" : "-4",
				     "state", "connected",
				     NULL };
	void *step = (void *)(uintptr_t)d->s;
	int r;

	/* of any client a killed server may have left none: those with unread data are reset */
	if (no_connections(d->r, step) && d->r->drill->group == GROUP_PROGRAM)
		return 0;
	if (no_connections(d->r, step))
		return doing_failed(d, "there is nothing to destroy");
	r = doing_left_out(d) ? 0 : hosts_tool(&d->r->hosts, d->s->host, argv, NULL);
	if (r < 0)
		return doing_tool_failed(d, r);
	/* the kernel has done it when ss returns; later they may have ended by themselves */
	if (!loop_until(d->r, clock_now_ns() + MSEC(100), no_connections, step))
		doing_not_proven(d, "the sockets are still there (needs CONFIG_INET_DIAG_DESTROY)");
	else
		snprintf(d->o->shown, sizeof(d->o->shown), "no connection is left");
	return 0;
}

const struct verb verb_destroy = {
	.name = "destroy",
	.usage = "destroy HOST",
	.parse = argument_host,
	.act = destroy_act,
	.can_be_fault = true,
};
