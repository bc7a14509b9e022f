/* SPDX-License-Identifier: MIT
 * verb_signal: processes get a signal. As a fault it counts when they are gone (KILL), stopped
 * (STOP), go on (CONT) or have taken it.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "doing.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/program.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/loop.h"
#include "echodrill/stage/run.h"
#include "echodrill/stage/target.h"

enum { STOP_ROUNDS = 5 };

static int signal_parse(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	char word[DRILL_WORD_MAX] = "";

	word_next(text, word, sizeof(word));
	s->asked = strcmp(word, "end") == 0      ? ASKED_END
		   : strcmp(word, "reload") == 0 ? ASKED_RELOAD
						 : 0;
	s->number = s->asked == ASKED_END      ? SIGTERM
		    : s->asked == ASKED_RELOAD ? SIGHUP
					       : proc_signal_number(word);
	if (s->number == 0)
		return word_refuse(
			why, "needs a signal such as KILL, TERM, STOP or CONT, end or reload");
	return argument_process(s, text, why);
}

/* The one that this server's service sends. */
static int signal_number(const struct doing *d)
{
	const struct program *p = d->r->options->server;

	if (!p || d->s->asked == ASKED_NOTHING)
		return d->s->number;
	return (int)(d->s->asked == ASKED_END ? p->server.end : p->server.reload);
}

struct signalled {
	pid_t pid;
	int number;
};

static bool is_gone(struct run *r, void *arg)
{
	const struct signalled *t = arg;
	char state = proc_state(t->pid);

	(void)r;
	return state == 0 || state == 'Z';
}

static bool is_stopped(struct run *r, void *arg)
{
	const struct signalled *t = arg;

	(void)r;
	return proc_is_stopped(t->pid);
}

static bool goes_on(struct run *r, void *arg)
{
	const struct signalled *t = arg;
	const char state = proc_state(t->pid);

	(void)r;
	return state != 'T' && state != PROC_UNKNOWN;
}

/* Gone, or it no longer waits to be taken. */
static bool has_taken(struct run *r, void *arg)
{
	const struct signalled *t = arg;
	struct proc_signals s;
	const int e = is_gone(r, arg) ? -ENOENT : proc_signals(t->pid, &s);

	return e == -ENOENT || (e == 0 && !(s.pending >> (t->number - 1) & 1));
}

/* A process that neither handles nor reads it has not taken it, however soon it went by. */
static bool can_take(const struct signalled *t)
{
	struct proc_signals s;
	const int e = is_gone(NULL, (void *)t) ? -ENOENT : proc_signals(t->pid, &s);

	return e == -ENOENT ||
	       (e == 0 && ((s.caught | s.blocked) & ~s.ignored) >> (t->number - 1) & 1);
}

static void check_before(struct doing *d, pid_t pid)
{
	if (signal_number(d) == SIGCONT && proc_state(pid) != 'T')
		doing_not_proven(d, "process %d was not stopped", (int)pid);
}

static void check_after(struct doing *d, pid_t pid)
{
	static const struct {
		int number;
		bool (*done)(struct run *r, void *arg);
		const char *shown;
	} kinds[] = { { SIGKILL, is_gone, "is gone" },
		      { SIGSTOP, is_stopped, "is stopped" },
		      { SIGCONT, goes_on, "goes on" },
		      { 0, has_taken, "has taken it" } };
	struct signalled t = { pid, signal_number(d) };
	unsigned k = 0;

	/* one that is stopped takes it when it goes on */
	if (d->s->asked && proc_is_stopped(pid))
		return;
	while (kinds[k].number && kinds[k].number != t.number)
		k++;
	/* it takes it when it goes on, which is another step */
	if (!d->s->fault && kinds[k].number == 0 && proc_is_stopped(pid))
		return;
	if (!loop_until(d->r, clock_now_ns() + (doing_left_out(d) ? MSEC(200) : SEC(5)),
			kinds[k].done, &t))
		doing_not_proven(d, "process %d is in state %c", (int)pid, proc_state(pid));
	else if (kinds[k].number == 0 && (doing_left_out(d) || !can_take(&t)))
		doing_not_proven(d, "process %d lives and has not taken it", (int)pid);
	else if (d->o->active)
		snprintf(d->o->shown, sizeof(d->o->shown), "process %d %s", (int)pid,
			 is_gone(d->r, &t) ? "is gone" : kinds[k].shown);
}

/* Sends it to these. Returns 0 or an error of doing. */
static int signal_send(struct doing *d, const pid_t *pids, int count)
{
	for (int i = 0; i < count; i++) {
		check_before(d, pids[i]);
		/* one of many may have ended with those before it */
		if (!doing_left_out(d) && kill(pids[i], signal_number(d)) < 0 &&
		    (errno != ESRCH || count == 1))
			return doing_failed(d, strerror(errno));
	}
	for (int i = 0; i < count; i++)
		check_after(d, pids[i]);
	return 0;
}

/* Whether all that it is meant for stand still. */
static bool all_stopped(const pid_t *pids, int count)
{
	for (int i = 0; i < count; i++)
		if (!proc_is_stopped(pids[i]))
			return false;
	return true;
}

static int signal_act(struct doing *d)
{
	pid_t pids[TARGETS_MAX];
	int count = d->o->foreign ? 0 : target_pids(d->r, d->s, pids);
	int e;

	if (d->o->foreign)
		return 0;
	if (count <= 0)
		return doing_failed(d, count < 0 ? strerror(-count) : "there is no such process");
	if (d->s->asked)
		count = 1; /* a service asks its first process, which knows what to do */
	e = signal_send(d, pids, count);
	/* one that was started meanwhile is a part of it as well */
	for (unsigned i = 0; i < STOP_ROUNDS && e == 0 && d->s->number == SIGSTOP; i++) {
		count = target_pids(d->r, d->s, pids);
		if (count < 0)
			return doing_failed(d, strerror(-count));
		if (doing_left_out(d) || all_stopped(pids, count))
			break;
		e = signal_send(d, pids, count);
	}
	return e;
}

/* Signals to which each program gives a meaning of its own: they kill one that has given none. */
static bool signal_is_for_ours(const struct step *s)
{
	return !s->fault && !s->asked && s->proc != STEP_LISTENER &&
	       (s->number == SIGUSR1 || s->number == SIGUSR2 || s->number == SIGHUP);
}

const struct verb verb_signal = {
	.name = "signal",
	.usage = "signal NAME | end | reload PROC",
	.parse = signal_parse,
	.act = signal_act,
	.is_for_ours = signal_is_for_ours,
	.can_be_fault = true,
};
