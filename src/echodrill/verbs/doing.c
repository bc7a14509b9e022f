/* SPDX-License-Identifier: MIT
 * doing: how a step went, in its outcome and in the record.
 */
#include "doing.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "echodrill/stage/run.h"

void doing_not_proven(struct doing *d, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(d->o->doubt, sizeof(d->o->doubt), fmt, args);
	va_end(args);
	d->o->active = false;
}

bool doing_left_out(const struct doing *d)
{
	return d->s->fault && d->r->options->without_fault;
}

int doing_failed(struct doing *d, const char *why)
{
	snprintf(d->r->record->problem, sizeof(d->r->record->problem), "%.120s: %.120s", d->s->text,
		 why);
	return -EINVAL;
}

int doing_tool_failed(struct doing *d, int r)
{
	d->r->record->environment = r == -ENOENT;
	return doing_failed(d, d->r->hosts.why);
}

static void doing_write_lines(FILE *f, const char *text)
{
	const char *end;

	for (; (end = strstr(text, " | ")) != NULL; text = end + 3)
		fprintf(f, "%.*s\n", (int)(end - text), text);
	fprintf(f, "%s\n", text);
}

/* Under another name first: who reads it gets the old one or the new one. */
int doing_write(struct doing *d, const char *text)
{
	static const char folder[] = "/run";
	char path[64], fresh[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, d->s->who);
	snprintf(fresh, sizeof(fresh), "%s/.%s", folder, d->s->who);
	f = fopen(fresh, "we");
	if (!f)
		return doing_failed(d, strerror(errno));
	doing_write_lines(f, text);
	if (fclose(f) != 0 || rename(fresh, path) < 0)
		return doing_failed(d, strerror(errno));
	return 0;
}
