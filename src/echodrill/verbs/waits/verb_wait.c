/* SPDX-License-Identifier: MIT
 * verb_wait: time passes.
 */
#include "echo/base/clock.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/loop.h"
#include "echodrill/verbs/doing.h"

static int wait_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	char word[DRILL_WORD_MAX] = "";

	word_next(text, word, sizeof(word));
	return word_time(word, &s->limit_ns) < 0 ? word_refuse(why, "needs a time, such as 500ms")
						 : 0;
}

static int wait_act(struct doing *d)
{
	loop_until(d->r, clock_now_ns() + d->s->limit_ns, NULL, NULL);
	return 0;
}

const struct verb verb_wait = {
	.name = "wait",
	.usage = "wait T",
	.parse = wait_parse,
	.act = wait_act,
	.quiet = true,
};
