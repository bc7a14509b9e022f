/* SPDX-License-Identifier: MIT
 * verb_leak: another process keeps the connections of the server's child open.
 */
#include "doing.h"
#include "echodrill/rig/sockets.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/run.h"
#include "echodrill/stage/target.h"

static int leak_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int r = argument_process(s, text, why);

	return r == 0 && s->proc != STEP_CHILD ? word_refuse(why, "needs the word child") : r;
}

static int leak_act(struct doing *d)
{
	pid_t pids[TARGETS_MAX];

	if (target_pids(d->r, d->s, pids) <= 0 || sockets_leak(pids[0]) == 0)
		return doing_failed(d, "there is no connection to keep");
	return 0;
}

const struct verb verb_leak = {
	.name = "leak",
	.usage = "leak child",
	.parse = leak_parse,
	.act = leak_act,
};
