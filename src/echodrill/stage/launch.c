/* SPDX-License-Identifier: MIT
 * launch: starts the programs of a drill. A server is up when it listens; ours says so as well.
 */
#include "launch.h"

#include <errno.h>
#include <regex.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/rig/sockets.h"
#include "echodrill/script/pattern.h"
#include "echodrill/script/program.h"
#include "loop.h"
#include "run.h"

/* Other people's servers may make a database first. */
enum { LEFT_MAX = 64, OURS_UP_S = 20, FOREIGN_UP_S = 60 };

bool launch_has_said(const struct run *r, enum who who, const char *pattern)
{
	const struct timeline *t = &r->record->timeline;
	bool said = false;
	regex_t re;

	if (pattern_open(&re, pattern) < 0)
		return false; /* program_read has looked */
	for (unsigned i = t->count; !said && i-- > 0 && t->at[i].t_ns >= r->procs[who].started_ns;)
		said = t->at[i].who == who && pattern_finds(&re, t->at[i].text);
	regfree(&re);
	return said;
}

/* echod says so when all of it has started; of a foreign server often only the port is known. */
static bool has_announced(const struct run *r, enum who who)
{
	if (!run_is_foreign(r, who))
		return launch_has_said(r, who, "listening on");
	return !r->options->server->server.ready[0] ||
	       launch_has_said(r, who, r->options->server->server.ready);
}

static bool client_said(struct run *r, void *arg)
{
	return r->procs[WHO_CLIENT].ended || launch_has_said(r, WHO_CLIENT, arg);
}

bool launch_is_ready(struct run *r, int64_t until_ns)
{
	char ready[OPT_TEXT_MAX] = "connected to";

	if (r->options->client)
		snprintf(ready, sizeof(ready), "%s", r->options->client->client.ready);
	return !ready[0] ||
	       (loop_until(r, until_ns, client_said, ready) && !r->procs[WHO_CLIENT].ended);
}

bool launch_keeps_connection(const struct run *r)
{
	return !r->options->client || r->options->client->client.request[0];
}

void launch_request(struct run *r)
{
	char text[OPT_TEXT_MAX * 2] = "anybody there";

	if (r->options->client)
		hosts_expand(r->hosts.family, r->options->client->client.request, text,
			     sizeof(text));
	timeline_add(&r->record->timeline, clock_now_ns(), WHO_CLIENT, "> %s", text);
	proc_type(&r->procs[WHO_CLIENT], text);
}

/* A text with its words replaced, line by line; other bytes as they are. */
static int copy_file(const struct run *r, const char *from, const char *to)
{
	char line[OPT_LINE_MAX], text[OPT_LINE_MAX * 2];
	FILE *in = fopen(from, "re"), *out = in ? fopen(to, "we") : NULL;
	int e = out ? 0 : -errno;

	while (out && e == 0 && fgets(line, sizeof(line), in)) {
		hosts_expand(r->hosts.family, line, text, sizeof(text));
		if (fputs(text, out) < 0)
			e = -errno;
	}
	if (out && e == 0 && ferror(in))
		e = -errno; /* a folder can be opened, but not read */
	if (in)
		fclose(in);
	if (out && fchmod(fileno(out), 0755) < 0 && e == 0)
		e = -errno;
	if (out && fclose(out) != 0 && e == 0)
		e = -errno;
	return e;
}

static int launch_copy(struct run *r, const struct program *p)
{
	char from[OPT_TEXT_MAX * 2 + 16], to[OPT_TEXT_MAX + 32];
	int e = 0;

	for (unsigned i = 0; p && e == 0 && i < p->file.count; i++) {
		snprintf(from, sizeof(from), "%s/files/%s", p->folder, p->file.at[i]);
		snprintf(to, sizeof(to), PROGRAM_FOLDER "/%s", p->file.at[i]);
		e = copy_file(r, from, to);
		if (e < 0)
			loop_problem(r, e, from, strerror(-e));
	}
	return e;
}

int launch_files(struct run *r)
{
	int e;

	/* users of their own write there too: it is nobody's but this drill's */
	if (mkdir(PROGRAM_FOLDER, 0755) < 0 || chmod(PROGRAM_FOLDER, 01777) < 0)
		return loop_problem(r, -errno, PROGRAM_FOLDER, strerror(errno));
	e = launch_copy(r, r->options->server);
	return e < 0 ? e : launch_copy(r, r->options->client);
}

/* What a command that has ended left behind, as one in the background or a daemon: the process that
 * listens, or, if @any, another one. 0: nothing. */
static pid_t left_behind(const struct run *r, bool any)
{
	pid_t pids[LEFT_MAX], left = 0;
	const int count = proc_children(getpid(), pids, LEFT_MAX);

	for (int i = 0; i < count; i++) {
		bool known = pids[i] == r->wire || pids[i] == r->listener;

		for (unsigned k = 0; k < RUN_PROCS; k++)
			known |= r->procs[k].pid == pids[i] && !r->procs[k].ended;
		if (known)
			continue;
		if (sockets_count(pids[i], SOCKETS_LISTENING) > 0)
			return pids[i];
		left = any ? pids[i] : 0;
	}
	return left;
}

bool launch_adopt(struct run *r, enum who who)
{
	const pid_t left = left_behind(r, false);

	proc_adopt(&r->procs[who], left);
	return left != 0;
}

static bool is_listening(struct run *r, void *arg)
{
	const enum who *who = arg;
	struct diag_states s;

	if (r->procs[*who].ended && (!run_is_foreign(r, *who) || left_behind(r, true) == 0))
		return true;
	if (!has_announced(r, *who))
		return false;
	return loop_states(r, HOST_SERVER, &s) == 0 &&
	       s.count[10] >= (*who == WHO_SERVER2 ? 2u : 1u); /* LISTEN */
}

bool launch_not_run(int status)
{
	/* what is above is another program's own, or a signal's */
	return WIFEXITED(status) && (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127);
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
	if (p->ended && launch_not_run(p->status))
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
	if (who == WHO_CLIENT)
		atomic_store(&r->record->wire.syn_ns, 0);
	err = proc_start(p, who, r->hosts.ns[who == WHO_CLIENT ? HOST_CLIENT : HOST_SERVER],
			 c.argv);
	if (err < 0)
		return loop_problem(r, err, c.shown, strerror(-err));
	if (who == WHO_CLIENT)
		return 0;
	if (!loop_until(r, clock_now_ns() + SEC(run_is_foreign(r, who) ? FOREIGN_UP_S : OURS_UP_S),
			is_listening, &who))
		return launch_failed(r, who, c.shown);
	if (p->ended && run_is_foreign(r, who))
		proc_adopt(p, left_behind(r, true));
	return p->ended ? launch_failed(r, who, c.shown) : 0;
}
