/* SPDX-License-Identifier: MIT
 * verb_write: a file for the programs, such as a configuration that one of them reads.
 */
#include <string.h>

#include "doing.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"

static int write_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	if (word_next(text, s->who, sizeof(s->who)) < 0 || strchr(s->who, '/'))
		return word_refuse(why, "needs the name of a file, of at most 15 characters");
	return argument_rest(s, text, why);
}

static int write_act(struct doing *d)
{
	return doing_write(d, d->text);
}

const struct verb verb_write = {
	.name = "write",
	.usage = "write NAME LINE | LINE ...",
	.parse = write_parse,
	.act = write_act,
};
