/* SPDX-License-Identifier: MIT
 * target: ours by its pid, another program by the tree below its shell.
 */
#include "target.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "echodrill/rig/sockets.h"
#include "echodrill/script/verb.h"
#include "echodrill/stage/run.h"

/* A process that serves a connection, and is not the one that all others come from. */
static bool is_child(pid_t pid, pid_t listens)
{
	return pid != listens && sockets_count(pid, SOCKETS_CONNECTED) > 0;
}

/* The first of them that listens, or the first of all. */
static unsigned keep_parent(pid_t *pids, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (sockets_count(pids[i], SOCKETS_LISTENING) > 0) {
			pids[0] = pids[i];
			break;
		}
	return count > 0;
}

/* Keeps those of @pids that serve, the youngest first. */
static unsigned keep_children(pid_t *pids, unsigned count)
{
	unsigned kept = 0, first = 0;
	pid_t listens;

	while (first < count && sockets_count(pids[first], SOCKETS_LISTENING) == 0)
		first++;
	listens = first < count ? pids[first] : 0;
	for (unsigned i = 0; i < count; i++) {
		pid_t pid = pids[i];
		unsigned at = kept;

		if (!is_child(pid, listens))
			continue;
		for (; at > 0 && pids[at - 1] < pid; at--)
			pids[at] = pids[at - 1];
		pids[at] = pid;
		kept++;
	}
	return kept;
}

/* The shell that runs a command, not what it runs. */
static bool is_shell(pid_t pid)
{
	struct stat its, shell;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &its) == 0 && stat("/bin/sh", &shell) == 0 &&
	       its.st_dev == shell.st_dev && its.st_ino == shell.st_ino;
}

/* A signal that asks for something is for the program: its shell waits for it, and passes on how it
 * ended. */
static bool is_asking(const struct step *s)
{
	return s->number != 0 && s->number != SIGKILL && s->number != SIGSTOP &&
	       s->number != SIGCONT;
}

int target_pids(const struct run *r, const struct step *s, pid_t pids[TARGETS_MAX])
{
	const bool children = s->proc == STEP_CHILD || s->proc == STEP_CHILDREN;
	const unsigned who = s->proc >= STEP_CHILD ? WHO_SERVER : s->proc;
	const struct proc *p;
	unsigned count;
	int found;

	if (s->proc == STEP_LISTENER) {
		pids[0] = r->listener;
		return pids[0] > 0;
	}
	p = &r->procs[who];
	if (p->pid <= 0 || p->ended)
		return 0;
	if (!run_is_foreign(r, who)) {
		pids[0] = p->pid;
		found = children ? proc_children(p->pid, pids, TARGETS_MAX) : 1;
	} else {
		found = proc_tree(p->pid, pids, TARGETS_MAX);
	}
	if (found < 0)
		return found;
	count = (unsigned)found;
	if (run_is_foreign(r, who)) {
		count = children                 ? keep_children(pids, count)
			: s->proc == STEP_PARENT ? keep_parent(pids, count)
						 : count;
		if (!children && count > 1 && is_asking(s) && is_shell(pids[0]))
			memmove(pids, pids + 1, --count * sizeof(*pids));
	}
	return s->proc == STEP_CHILD && count > 1 ? 1 : (int)count;
}

bool target_is_foreign(const struct run *r, const struct step *s)
{
	const unsigned who = s->proc >= STEP_CHILD ? WHO_SERVER : s->proc;

	if (!s->verb->is_for_ours || !s->verb->is_for_ours(s))
		return false;
	return s->verb == &verb_await ? !run_has_words(r, who) : run_is_foreign(r, who);
}
