/* SPDX-License-Identifier: MIT
 * verb_calm: for some time no client connects anew. A load that keeps its connections does so when
 * one has ended, whatever ended it: an answer that is not whole ends it by the client's limit.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "echo/base/clock.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/loop.h"
#include "echodrill/stage/run.h"
#include "echodrill/verbs/doing.h"

static int calm_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	char word[DRILL_WORD_MAX];

	if (word_next(text, word, sizeof(word)) < 0 || word_time(word, &s->limit_ns) < 0)
		return word_refuse(why, "needs a time, such as 3s");
	return 0;
}

static bool has_connected(struct run *r, void *arg)
{
	const uint32_t *before = arg;

	return atomic_load(&r->record->wire.syns) != *before;
}

static int calm_act(struct doing *d)
{
	uint32_t before = atomic_load(&d->r->record->wire.syns);
	const int64_t began = clock_now_ns();

	d->o->waited = true;
	d->o->came = !loop_until(d->r, began + d->s->limit_ns, has_connected, &before);
	d->o->took_ns = clock_now_ns() - began;
	if (!d->o->came)
		snprintf(d->o->doubt, sizeof(d->o->doubt),
			 "a connection has ended: the client connects anew");
	return d->o->came ? 0 : -ETIMEDOUT;
}

const struct verb verb_calm = {
	.name = "calm",
	.usage = "calm T",
	.parse = calm_parse,
	.act = calm_act,
	.quiet = true,
};
