/* SPDX-License-Identifier: MIT
 * verb_nft: a rule in the router. As a fault it counts what it catches.
 */
#include <string.h>
#include <sys/socket.h>

#include "change.h"
#include "doing.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/run.h"

/* A fault of the router is known by its counter. */
static int nft_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int r = argument_rest(s, text, why);

	if (r == 0 && s->fault && !strstr(s->rest, "counter name fault"))
		return word_refuse(why, "is a fault and must count what it catches: "
					"'counter name fault'");
	return r;
}

/* Knocks from both ends at a port that nobody uses, so that a fault of an idle path is seen too. */
static void knock(struct run *r)
{
	for (unsigned i = 0; i < RECORD_HOSTS; i++)
		if (r->probe[i] >= 0)
			(void)!send(r->probe[i], "?", 1, MSG_DONTWAIT);
}

static int nft_act(struct doing *d)
{
	int r;

	if (doing_left_out(d))
		return 0; /* the counter will show it */
	r = hosts_nft(&d->r->hosts, HOST_ROUTER, d->text);
	if (r < 0)
		return doing_tool_failed(d, r);
	if (d->s->fault)
		knock(d->r);
	return 0;
}

static void nft_before(struct doing *d)
{
	d->o->counted = hosts_fault_packets(&d->r->hosts);
}

static void nft_end(struct doing *d)
{
	change_caught(d, d->r->record->fault_packets);
}

const struct verb verb_nft = {
	.name = "nft",
	.usage = "nft TEXT",
	.parse = nft_parse,
	.act = nft_act,
	.can_be_fault = true,
	.before = nft_before,
	.end = nft_end,
};
