/* SPDX-License-Identifier: MIT
 * verb_hangup: the end of the client's input.
 */
#include "doing.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/run.h"

static int hangup_act(struct doing *d)
{
	proc_hangup(&d->r->procs[WHO_CLIENT]);
	return 0;
}

const struct verb verb_hangup = {
	.name = "hangup",
	.usage = "hangup",
	.parse = argument_nothing,
	.act = hangup_act,
};
