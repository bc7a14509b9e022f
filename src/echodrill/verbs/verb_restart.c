/* SPDX-License-Identifier: MIT
 * verb_restart: the server is restarted so many times by a successor that takes over (SIGUSR2),
 * each time with the next of several configurations. What takes over is the server from then on.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "doing.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/launch.h"
#include "echodrill/stage/loop.h"
#include "echodrill/stage/run.h"

enum { EACH_S = 10, AGAIN_MS = 250, MOST = 1000 };

static int restart_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int r = argument_number(&s->count, text, why);

	if (r < 0)
		return r;
	if (s->count == 0 || s->count > MOST)
		return word_refuse(why, "needs a number of restarts, 1 to 1000");
	if (word_next(text, s->who, sizeof(s->who)) < 0 || strchr(s->who, '/'))
		return word_refuse(why, "needs the name of a file, of at most 15 characters");
	s->proc = WHO_SERVER;
	return argument_rest(s, text, why);
}

/* Those between " || " in turn: *next is the one to write, and then the one behind it. */
static int restart_write(struct doing *d, const char **next)
{
	const char *from = *next ? *next : d->text, *end = strstr(from, " || ");
	char text[sizeof(d->text)];

	snprintf(text, sizeof(text), "%.*s", end ? (int)(end - from) : (int)strlen(from), from);
	*next = end ? end + 4 : NULL;
	return doing_write(d, text);
}

static bool restart_has_left(struct run *r, void *arg)
{
	(void)arg;
	return r->procs[WHO_SERVER].ended;
}

static bool restart_is_served(struct run *r, void *arg)
{
	(void)arg;
	return launch_adopt(r, WHO_SERVER);
}

/* Asks again and again: one that is still taking over itself starts no successor. Returns 0, or an
 * error of doing. */
static int restart_once(struct doing *d)
{
	const int64_t until_ns = clock_now_ns() + SEC(EACH_S);
	struct proc *p = &d->r->procs[WHO_SERVER];
	bool left = false;

	while (!left && clock_now_ns() < until_ns) {
		if (kill(p->pid, SIGUSR2) < 0)
			return doing_failed(d, strerror(errno));
		left = loop_until(d->r, clock_now_ns() + MSEC(AGAIN_MS), restart_has_left, NULL);
	}
	if (!left)
		return doing_failed(d, "no successor has taken over");
	if (!WIFEXITED(p->status) || WEXITSTATUS(p->status) != 0)
		return doing_failed(d, "the old process has failed");
	return loop_until(d->r, until_ns, restart_is_served, NULL)
		       ? 0
		       : doing_failed(d, "nobody has taken over");
}

static int restart_act(struct doing *d)
{
	const char *next = NULL;
	int e = 0;

	if (doing_left_out(d))
		return 0;
	for (uint64_t i = 0; i < d->s->count && e == 0; i++) {
		e = restart_write(d, &next);
		if (e == 0)
			e = restart_once(d);
	}
	if (d->o->active)
		snprintf(d->o->shown, sizeof(d->o->shown), "%u restarts, now process %d serves",
			 (unsigned)d->s->count, (int)d->r->procs[WHO_SERVER].pid);
	return e;
}

static bool restart_is_for_ours(const struct step *s)
{
	return !s->fault;
}

const struct verb verb_restart = {
	.name = "restart",
	.usage = "restart N NAME LINE | LINE ... || LINE ...",
	.parse = restart_parse,
	.act = restart_act,
	.is_for_ours = restart_is_for_ours,
	.can_be_fault = true,
};
