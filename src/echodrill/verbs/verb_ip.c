/* SPDX-License-Identifier: MIT
 * verb_ip: a line for `ip -batch` on a host. As a fault it counts when links, addresses, routes or
 * neighbours of that host are not what they were.
 */
#include <string.h>

#include "change.h"
#include "doing.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/run.h"

static void ask(struct doing *d, char state[CHANGE_STATE_MAX])
{
	const char *family = d->r->hosts.family == 6 ? "-6" : "-4", *at = d->s->rest;
	char object[DRILL_WORD_MAX] = "";
	const char *argv[] = { "ip", "-o", family, object, "show", NULL };

	word_next(&at, object, sizeof(object));
	if (strcmp(object, "link") == 0)
		argv[2] = "-d"; /* of no family */
	hosts_ask(&d->r->hosts, d->s->host, argv, state, CHANGE_STATE_MAX);
}

static int ip_act(struct doing *d)
{
	int r = doing_left_out(d) ? 0 : hosts_ip(&d->r->hosts, d->s->host, d->text);

	return r < 0 ? doing_tool_failed(d, r) : 0;
}

static void ip_before(struct doing *d)
{
	ask(d, change_before);
}

static void ip_after(struct doing *d)
{
	ask(d, change_after);
	change_show(d);
}

const struct verb verb_ip = {
	.name = "ip",
	.usage = "ip HOST TEXT",
	.parse = argument_host_rest,
	.act = ip_act,
	.can_be_fault = true,
	.before = ip_before,
	.after = ip_after,
};
