/* SPDX-License-Identifier: MIT
 * verb_look: the states of all sockets are taken down, under a label.
 */
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/loop.h"
#include "echodrill/verbs/doing.h"

static int look_act(struct doing *d)
{
	loop_look(d->r, d->s->label);
	return 0;
}

const struct verb verb_look = {
	.name = "look",
	.usage = "look LABEL",
	.parse = argument_label,
	.act = look_act,
	.quiet = true,
};
