/* SPDX-License-Identifier: MIT
 * verb_share: a process listens beside the server, on its port, and accepts nobody.
 */
#include <string.h>

#include "doing.h"
#include "echodrill/rig/sockets.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/run.h"

static int share_act(struct doing *d)
{
	d->r->listener = sockets_share(&d->r->hosts);
	return d->r->listener < 0 ? doing_failed(d, strerror(-d->r->listener)) : 0;
}

const struct verb verb_share = {
	.name = "share",
	.usage = "share",
	.parse = argument_nothing,
	.act = share_act,
};
