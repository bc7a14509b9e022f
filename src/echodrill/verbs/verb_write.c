/* SPDX-License-Identifier: MIT
 * verb_write: a file for the programs, such as a configuration that one of them reads.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "doing.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/run.h"

static const char folder[] = "/run"; /* of the private machine */

static int write_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	if (word_next(text, s->who, sizeof(s->who)) < 0 || strchr(s->who, '/'))
		return word_refuse(why, "needs the name of a file, of at most 15 characters");
	return argument_rest(s, text, why);
}

/* " | " ends a line. */
static void write_lines(FILE *f, const char *text)
{
	const char *end;

	for (; (end = strstr(text, " | ")) != NULL; text = end + 3)
		fprintf(f, "%.*s\n", (int)(end - text), text);
	fprintf(f, "%s\n", text);
}

/* Under another name first: who reads it gets the old one or the new one. */
static int write_act(struct doing *d)
{
	char path[64], fresh[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, d->s->who);
	snprintf(fresh, sizeof(fresh), "%s/.%s", folder, d->s->who);
	f = fopen(fresh, "we");
	if (!f)
		return doing_failed(d, strerror(errno));
	write_lines(f, d->text);
	if (fclose(f) != 0 || rename(fresh, path) < 0)
		return doing_failed(d, strerror(errno));
	return 0;
}

const struct verb verb_write = {
	.name = "write",
	.usage = "write NAME LINE | LINE ...",
	.parse = write_parse,
	.act = write_act,
};
