/* SPDX-License-Identifier: MIT
 * verb_type: a line for the client.
 */
#include "doing.h"
#include "echo/base/clock.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/run.h"

static int type_act(struct doing *d)
{
	timeline_add(&d->r->record->timeline, clock_now_ns(), WHO_CLIENT, "> %s", d->text);
	/* a client that is gone cannot be typed to, but the drill goes on: its end is what counts
	 */
	proc_type(&d->r->procs[WHO_CLIENT], d->text);
	return 0;
}

const struct verb verb_type = {
	.name = "type",
	.usage = "type TEXT",
	.parse = argument_rest,
	.act = type_act,
	.quiet = true,
};
