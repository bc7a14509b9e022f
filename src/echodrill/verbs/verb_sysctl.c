/* SPDX-License-Identifier: MIT
 * verb_sysctl: a setting of a host. As a fault it counts when it reads another value than before.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "change.h"
#include "doing.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/run.h"

static int sysctl_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int r = argument_host(s, text, why);

	r = r < 0 ? r : argument_rest(s, text, why);
	if (r == 0 && !strchr(s->rest, ' '))
		return word_refuse(why, "needs HOST NAME VALUE");
	if (r == 0 && !hosts_has_sysctl(s->rest))
		return word_refuse(why, "is of the whole machine: a host has those of net");
	return r;
}

static void ask(struct doing *d, char state[CHANGE_STATE_MAX])
{
	const char *at = d->s->rest;
	char name[128] = "";

	word_next(&at, name, sizeof(name));
	hosts_sysctl_read(&d->r->hosts, d->s->host, name, state, CHANGE_STATE_MAX);
}

static int sysctl_act(struct doing *d)
{
	char *value = strchr(d->text, ' ');

	assert(value); /* as it was read */
	*value++ = '\0';
	if (doing_left_out(d))
		return 0;
	if (hosts_sysctl(&d->r->hosts, d->s->host, d->text, value) < 0)
		return doing_failed(d, d->r->hosts.why);
	return 0;
}

static void sysctl_before(struct doing *d)
{
	ask(d, change_before);
}

static void sysctl_after(struct doing *d)
{
	ask(d, change_after);
	change_show(d);
	if (d->o->active)
		snprintf(d->o->shown, sizeof(d->o->shown), "was %.50s, is %.50s", change_before,
			 change_after);
}

const struct verb verb_sysctl = {
	.name = "sysctl",
	.usage = "sysctl HOST NAME VALUE",
	.parse = sysctl_parse,
	.act = sysctl_act,
	.can_be_fault = true,
	.before = sysctl_before,
	.after = sysctl_after,
};
