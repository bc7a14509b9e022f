/* SPDX-License-Identifier: MIT
 * verb_start: a program that does not run yet, or not any more, is started.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "doing.h"
#include "echo/base/clock.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/launch.h"
#include "echodrill/stage/run.h"

/* A program that was up before and does not come up again is no trouble of this machine's: the
 * drill is about it. */
static int start_act(struct doing *d)
{
	struct record *rec = d->r->record;
	const bool again = d->r->procs[d->s->proc].ended;
	const int64_t began = clock_now_ns();
	const int r = launch_program(d->r, d->s->proc);
	const char *why; /* behind the command */

	if (!again || (r < 0 && r != -ECONNREFUSED))
		return r;
	d->o->waited = true;
	d->o->came = r == 0;
	d->o->took_ns = clock_now_ns() - began;
	if (r < 0) {
		why = strstr(rec->problem, "does not ");
		snprintf(d->o->doubt, sizeof(d->o->doubt), "%.120s", why ? why : rec->problem);
		rec->problem[0] = '\0';
		rec->environment = false;
	}
	return r;
}

const struct verb verb_start = {
	.name = "start",
	.usage = "start PROC",
	.parse = argument_program,
	.act = start_act,
};
