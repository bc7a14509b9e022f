/* SPDX-License-Identifier: MIT
 * launch: starts the programs of a drill. A server is up when it listens; ours says so as well.
 */
#include "launch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/rig/sockets.h"
#include "loop.h"
#include "run.h"

enum { LEFT_MAX = 64 };

/* echod says so when all of it has started; of a foreign server only the port is known. */
static bool has_announced(const struct run *r, enum who who)
{
	const struct timeline *t = &r->record->timeline;

	for (unsigned i = t->count; i-- > 0 && t->at[i].t_ns >= r->procs[who].started_ns;)
		if (t->at[i].who == who && strstr(t->at[i].text, "listening on"))
			return true;
	return r->options->server[0];
}

/* What a command that has ended left behind, as one in the background or a daemon: the process that
 * listens, or any. 0: nothing. */
static pid_t left_behind(const struct run *r)
{
	pid_t pids[LEFT_MAX], left = 0;
	unsigned count = proc_children(getpid(), pids, LEFT_MAX);

	for (unsigned i = 0; i < count; i++) {
		bool known = pids[i] == r->wire || pids[i] == r->listener;

		for (unsigned k = 0; k < RUN_PROCS; k++)
			known |= r->procs[k].pid == pids[i] && !r->procs[k].ended;
		if (known)
			continue;
		left = pids[i];
		if (sockets_count(left, SOCKETS_LISTENING) > 0)
			break;
	}
	return left;
}

static bool is_listening(struct run *r, void *arg)
{
	const enum who *who = arg;
	struct diag_states s;

	if (r->procs[*who].ended && (!run_is_foreign(r, *who) || left_behind(r) == 0))
		return true;
	if (!has_announced(r, *who))
		return false;
	return loop_states(r, HOST_SERVER, &s) == 0 &&
	       s.count[10] >= (*who == WHO_SERVER2 ? 2u : 1u); /* LISTEN */
}

/* A program that is not up: why, in its own last words. */
int launch_failed(struct run *r, enum who who, const char *shown)
{
	const struct timeline *t = &r->record->timeline;
	const struct proc *p = &r->procs[who];
	const char *said = "";

	/* the line about its end is ours */
	for (unsigned i = 0; i < t->count; i++)
		if (t->at[i].who == who && t->at[i].text[0] != '(')
			said = t->at[i].text;
	if (p->ended && WIFEXITED(p->status) && WEXITSTATUS(p->status) >= LAUNCH_NOT_RUN)
		r->record->environment = true;
	snprintf(r->record->problem, sizeof(r->record->problem), "%.120s: does not %s%s%.100s",
		 shown, who == WHO_CLIENT ? "run" : "listen", said[0] ? ": " : "", said);
	return -ECONNREFUSED;
}

int launch_program(struct run *r, enum who who)
{
	struct command c;
	struct proc *p = &r->procs[who];
	int err;

	command_make(&c, r, who);
	record_command(r->record, "on %s: %s", who == WHO_CLIENT ? "client" : "server", c.shown);
	if (c.full)
		return loop_problem(r, -E2BIG, c.shown, "has too many words");
	if (p->pid && !p->ended)
		return loop_problem(r, -EBUSY, c.shown, "is running already");
	err = proc_start(p, who, r->hosts.ns[who == WHO_CLIENT ? HOST_CLIENT : HOST_SERVER],
			 c.argv);
	if (err < 0)
		return loop_problem(r, err, c.shown, strerror(-err));
	if (who == WHO_CLIENT)
		return 0;
	if (!loop_until(r, clock_now_ns() + SEC(20), is_listening, &who))
		return launch_failed(r, who, c.shown);
	if (p->ended && run_is_foreign(r, who))
		proc_adopt(p, left_behind(r));
	return p->ended ? launch_failed(r, who, c.shown) : 0;
}
