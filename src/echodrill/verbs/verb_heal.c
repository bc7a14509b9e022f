/* SPDX-License-Identifier: MIT
 * verb_heal: what nft added is taken away.
 */
#include "doing.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/run.h"

static int heal_act(struct doing *d)
{
	int r = hosts_nft(&d->r->hosts, HOST_ROUTER, "flush chain inet drill forward");

	return r < 0 ? doing_tool_failed(d, r) : 0;
}

const struct verb verb_heal = {
	.name = "heal",
	.usage = "heal",
	.parse = argument_nothing,
	.act = heal_act,
};
