/* SPDX-License-Identifier: MIT
 * verb_start: a program that does not run yet, or not any more, is started.
 */
#include "doing.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/launch.h"
#include "echodrill/stage/run.h"

static int start_act(struct doing *d)
{
	return launch_program(d->r, d->s->proc);
}

const struct verb verb_start = {
	.name = "start",
	.usage = "start PROC",
	.parse = argument_program,
	.act = start_act,
};
