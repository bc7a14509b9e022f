/* SPDX-License-Identifier: MIT
 * verb_dial: a connection attempt of the drill's own.
 */
#include <stdio.h>

#include "doing.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/run.h"

/* Knows a path from the outside: one connection attempt, told by its errno. */
static int dial_act(struct doing *d)
{
	struct dialed *to = &d->r->record->dialed[d->r->record->dials];

	snprintf(to->label, sizeof(to->label), "%s", d->s->label);
	snprintf(to->result, sizeof(to->result), "%s", hosts_dial(&d->r->hosts, SEC(1)));
	d->r->record->dials++;
	timeline_add(&d->r->record->timeline, clock_now_ns(), WHO_DRILL,
		     "a new connection from the client's host: %s", to->result);
	return 0;
}

const struct verb verb_dial = {
	.name = "dial",
	.usage = "dial LABEL",
	.parse = argument_label,
	.act = dial_act,
	.quiet = true,
};
