/* SPDX-License-Identifier: MIT
 * loop: the one loop of process 1: reads what programs say, reaps who has ended, and takes down
 * what the kernels of both hosts know.
 */
#include "loop.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "notice.h"
#include "run.h"

enum { WAITS_STEP_MS = 20 };

int loop_problem(struct run *r, int err, const char *what, const char *why)
{
	if (r->record->problem[0] == '\0')
		snprintf(r->record->problem, sizeof(r->record->problem), "%.100s: %.140s", what,
			 why);
	return err;
}

/* How long a thread of this machine has waited for a CPU: programs, wire, helpers, ourselves. Of
 * one that has ended only its zombie tells. */
static void sample_waits(struct run *r)
{
	int64_t wait_ns;

	if (clock_now_ns() - r->waits.sampled_ns < MSEC(WAITS_STEP_MS) && !proc_has_zombie())
		return;
	wait_ns = tasks_longest_wait(&r->waits, getpid());
	if (wait_ns > r->record->wait_ns)
		r->record->wait_ns = wait_ns;
}

/* Takes what programs have said by then, and who has ended. Returns when that was done. */
static int64_t loop_turn(struct run *r, int64_t until_ns)
{
	const int64_t began = clock_now_ns();

	proc_turn(r->procs, RUN_PROCS, until_ns, &r->record->timeline);
	r->heard_ns = began;
	sample_waits(r);
	proc_reap(r->procs, RUN_PROCS, &r->record->timeline);
	notice_look(r);
	return clock_now_ns();
}

bool loop_until(struct run *r, int64_t until_ns, bool (*done)(struct run *r, void *arg), void *arg)
{
	int64_t end = until_ns < r->deadline_ns ? until_ns : r->deadline_ns;

	for (;;) {
		int64_t now = clock_now_ns(), next = now + MSEC(5);

		if (done && done(r, arg))
			return true;
		if (now >= end)
			break;
		now = loop_turn(r, next < end ? next : end);
		record_late(r->record, now - next);
	}
	loop_turn(r, end); /* what has come in time and is not taken yet */
	return done && done(r, arg);
}

int loop_states(struct run *r, enum host host, struct diag_states *s)
{
	int result;

	hosts_enter(&r->hosts, host);
	result = diag_read(s, r->hosts.family);
	hosts_leave(&r->hosts);
	return result;
}

int loop_sockets(struct run *r, enum host host,
		 void (*each)(void *arg, const struct diag_socket *s), void *arg)
{
	int fd, result;

	hosts_enter(&r->hosts, host);
	fd = diag_open();
	result = fd < 0 ? fd : diag_each(fd, r->hosts.family, each, arg);
	if (fd >= 0)
		close(fd);
	hosts_leave(&r->hosts);
	return result;
}

void loop_look(struct run *r, const char *label)
{
	struct record *rec = r->record;
	struct look *l = &rec->look[rec->looks];
	char text[RECORD_HOSTS][80];

	assert(rec->looks < RECORD_LOOKS_MAX);
	snprintf(l->label, sizeof(l->label), "%s", label);
	for (unsigned i = 0; i < RECORD_HOSTS; i++) {
		l->unknown[i] = loop_states(r, i == 0 ? HOST_CLIENT : HOST_SERVER, &l->of[i]);
		if (l->unknown[i] < 0)
			snprintf(text[i], sizeof(text[i]), "unknown: %s", strerror(-l->unknown[i]));
		else
			diag_words(&l->of[i], text[i], sizeof(text[i]));
	}
	if (r->procs[WHO_SERVER].pid > 0 && !r->procs[WHO_SERVER].ended)
		l->zombies = proc_zombies(r->procs[WHO_SERVER].pid);
	rec->looks++;
	timeline_add(&rec->timeline, clock_now_ns(), WHO_STATES, "%s | %s", text[0], text[1]);
}
