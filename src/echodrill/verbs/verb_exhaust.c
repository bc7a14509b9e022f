/* SPDX-License-Identifier: MIT
 * verb_exhaust: a program gets no descriptor more. As a fault it counts when none below its limit
 * is left.
 */
#include <errno.h>
#include <stdio.h>

#include "doing.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/run.h"
#include "echodrill/stage/target.h"

static int exhaust_act(struct doing *d)
{
	pid_t pids[TARGETS_MAX];
	const int count = target_pids(d->r, d->s, pids);
	int r = doing_left_out(d) || count <= 0 ? -ESRCH : 0;

	for (int i = 0; i < count && r == 0; i++)
		r = proc_exhaust(pids[i]);
	if (r < 0)
		doing_not_proven(d, "its descriptors are not limited");
	else
		snprintf(d->o->shown, sizeof(d->o->shown), "no descriptor is left");
	return 0;
}

const struct verb verb_exhaust = {
	.name = "exhaust",
	.usage = "exhaust PROC",
	.parse = argument_program,
	.act = exhaust_act,
	.can_be_fault = true,
};
