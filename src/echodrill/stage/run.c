/* SPDX-License-Identifier: MIT
 * run: process 1 of a private machine. It makes the hosts, starts the programs, has the steps
 * carried out, and takes down what the kernels of both hosts say at the end.
 */
#include "run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/program.h"
#include "echodrill/rig/sockets.h"
#include "echodrill/script/words.h"
#include "echodrill/verbs/act.h"
#include "echodrill/verbs/prove.h"

enum { CANARY_STEP_MS = 5, WAITS_STEP_MS = 20, DISCARD_PORT = 9, ENDED_MAX = 256, LEFT_MAX = 64 };

int run_open(struct run *r, const struct drill *d, const struct run_options *o)
{
	memset(r, 0, sizeof(*r));
	r->drill = d;
	r->options = o;
	r->record = mmap(NULL, sizeof(*r->record), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->record == MAP_FAILED)
		return -errno;
	for (unsigned i = 0; i < WIRE_SIDES; i++) {
		r->pcap[i] = memfd_create("capture", MFD_CLOEXEC);
		if (r->pcap[i] < 0)
			return -errno;
	}
	return 0;
}

void run_close(struct run *r)
{
	munmap(r->record, sizeof(*r->record));
	for (unsigned i = 0; i < WIRE_SIDES; i++)
		close(r->pcap[i]);
}

static int run_problem(struct run *r, int err, const char *what, const char *why)
{
	if (r->record->problem[0] == '\0')
		snprintf(r->record->problem, sizeof(r->record->problem), "%.100s: %.140s", what,
			 why);
	return err;
}

/* How long a thread of this machine has waited for a CPU: programs, wire, helpers, ourselves. Of
 * one that has ended only its zombie tells. */
static void run_look_waits(struct run *r)
{
	int64_t wait_ns;

	if (clock_now_ns() - r->waits.looked_ns < MSEC(WAITS_STEP_MS) && !proc_has_zombie())
		return;
	wait_ns = tasks_longest_wait(&r->waits, getpid());
	if (wait_ns > r->record->wait_ns)
		r->record->wait_ns = wait_ns;
}

bool run_until(struct run *r, int64_t until_ns, bool (*done)(struct run *r, void *arg), void *arg)
{
	int64_t end = until_ns < r->deadline_ns ? until_ns : r->deadline_ns;

	for (;;) {
		int64_t now = clock_now_ns(), next = now + MSEC(5);

		if (done && done(r, arg))
			return true;
		if (now >= end)
			return false;
		proc_turn(r->procs, RUN_PROCS, next < end ? next : end, &r->record->timeline);
		run_look_waits(r);
		proc_reap(r->procs, RUN_PROCS, &r->record->timeline);
	}
}

int run_states(struct run *r, enum host host, struct diag_states *s)
{
	int result;

	hosts_enter(&r->hosts, host);
	result = diag_read(s, r->hosts.family);
	hosts_leave(&r->hosts);
	return result;
}

void run_look(struct run *r, const char *label)
{
	struct record *rec = r->record;
	struct look *l = &rec->look[rec->looks];
	char client[80], server[80];

	if (rec->looks == RECORD_LOOKS_MAX)
		return;
	snprintf(l->label, sizeof(l->label), "%s", label);
	run_states(r, HOST_CLIENT, &l->of[0]);
	run_states(r, HOST_SERVER, &l->of[1]);
	rec->looks++;
	timeline_add(&rec->timeline, clock_now_ns(), WHO_STATES, "%s | %s",
		     diag_words(&l->of[0], client, sizeof(client)),
		     diag_words(&l->of[1], server, sizeof(server)));
}

/* echod says so when all of it has started; of somebody else's server only the port is known. */
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
static pid_t run_left_behind(const struct run *r)
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

	if (r->procs[*who].ended && (!run_is_foreign(r, *who) || run_left_behind(r) == 0))
		return true;
	if (!has_announced(r, *who))
		return false;
	return run_states(r, HOST_SERVER, &s) == 0 &&
	       s.count[10] >= (*who == WHO_SERVER2 ? 2u : 1u); /* LISTEN */
}

enum { NOT_RUN = 126 }; /* this and the next: exit codes of what could not be executed */

/* A program that is not up: why, in its own last words. */
static int program_failed(struct run *r, enum who who, const char *shown)
{
	const struct timeline *t = &r->record->timeline;
	const struct proc *p = &r->procs[who];
	const char *said = "";

	/* the line about its end is ours */
	for (unsigned i = 0; i < t->count; i++)
		if (t->at[i].who == who && t->at[i].text[0] != '(')
			said = t->at[i].text;
	if (p->ended && WIFEXITED(p->status) && WEXITSTATUS(p->status) >= NOT_RUN)
		r->record->environment = true;
	snprintf(r->record->problem, sizeof(r->record->problem), "%.120s: does not %s%s%.100s",
		 shown, who == WHO_CLIENT ? "run" : "listen", said[0] ? ": " : "", said);
	return -ECONNREFUSED;
}

int run_program(struct run *r, enum who who)
{
	struct command c;
	struct proc *p = &r->procs[who];
	int err;

	command_make(&c, r, who);
	record_command(r->record, "on %s: %s", who == WHO_CLIENT ? "client" : "server", c.shown);
	if (c.full)
		return run_problem(r, -E2BIG, c.shown, "has too many words");
	if (p->pid && !p->ended)
		return run_problem(r, -EBUSY, c.shown, "is running already");
	err = proc_start(p, who, r->hosts.ns[who == WHO_CLIENT ? HOST_CLIENT : HOST_SERVER],
			 c.argv);
	if (err < 0)
		return run_problem(r, err, c.shown, strerror(-err));
	if (who == WHO_CLIENT)
		return 0;
	if (!run_until(r, clock_now_ns() + SEC(20), is_listening, &who))
		return program_failed(r, who, c.shown);
	if (p->ended && run_is_foreign(r, who))
		proc_adopt(p, run_left_behind(r));
	return p->ended ? program_failed(r, who, c.shown) : 0;
}

/* A timer that does nothing: how late it is, others were late too. */
static void *canary(void *arg)
{
	struct record *rec = arg;
	int64_t due = clock_now_ns();

	for (;;) {
		int64_t late;

		due += MSEC(CANARY_STEP_MS);
		clock_sleep_until(due);
		late = clock_now_ns() - due;
		if (late > atomic_load(&rec->canary_ns))
			atomic_store(&rec->canary_ns, late);
		if (late > 0)
			due += late;
	}
	return NULL;
}

/* A UDP socket on @from that knocks at @to. */
static int run_probe(struct run *r, enum host from, enum host to)
{
	const char *text = hosts_address(r->hosts.family, to);
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(DISCARD_PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT) };
	bool six = r->hosts.family == 6;
	int fd;

	inet_pton(AF_INET, text, &v4.sin_addr);
	inet_pton(AF_INET6, text, &v6.sin6_addr);
	hosts_enter(&r->hosts, from);
	fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!connect(fd, six ? (void *)&v6 : (void *)&v4, six ? sizeof(v6) : sizeof(v4));
	hosts_leave(&r->hosts);
	return fd;
}

static void run_counters(struct run *r, struct diag_counters c[RECORD_HOSTS])
{
	hosts_enter(&r->hosts, HOST_CLIENT);
	diag_counters_read(&c[0]);
	hosts_enter(&r->hosts, HOST_SERVER);
	diag_counters_read(&c[1]);
	hosts_leave(&r->hosts);
}

/* The host that a line of [hosts] is about; *at goes on behind it. */
static enum host run_host(const char **at)
{
	char word[DRILL_WORD_MAX] = "";

	word_next(at, word, sizeof(word));
	*at += strspn(*at, " ");
	return (enum host)hosts_number(word); /* drill_read has looked */
}

/* What a drill's [hosts] adds to them. */
static int run_hosts(struct run *r)
{
	const struct drill *d = r->drill;

	for (unsigned i = 0; i < d->ip.count; i++) {
		const char *at = d->ip.at[i];
		enum host host = run_host(&at);

		record_command(r->record, "on %s: ip %s", host_names[host], at);
		if (hosts_ip(&r->hosts, host, at) < 0)
			return run_problem(r, -EINVAL, at, r->hosts.why);
	}
	for (unsigned i = 0; i < d->sysctl.count; i++) {
		const char *at = d->sysctl.at[i];
		enum host host = run_host(&at);
		char name[96] = "";

		word_next(&at, name, sizeof(name));
		at += strspn(at, " ");
		record_command(r->record, "on %s: sysctl -w %s=%s", host_names[host], name, at);
		if (hosts_sysctl(&r->hosts, host, name, at) < 0) {
			r->record->environment = false; /* one kernel has it, another not */
			return run_problem(r, -EINVAL, "sysctl", r->hosts.why);
		}
	}
	return 0;
}

static int run_set_up(struct run *r)
{
	pthread_t thread;
	int err = hosts_open(&r->hosts, (int)r->drill->family);

	r->record->environment = true; /* until all is made */
	if (err < 0)
		return run_problem(r, err, "cannot make the hosts", r->hosts.why);
	err = run_hosts(r);
	if (err < 0)
		return err;
	r->wire = wire_start(&r->hosts, r->drill->delay, r->pcap, &r->record->wire);
	if (r->wire < 0)
		return run_problem(r, r->wire, "cannot make the wire", strerror(-r->wire));
	r->probe[0] = run_probe(r, HOST_CLIENT, HOST_SERVER);
	r->probe[1] = run_probe(r, HOST_SERVER, HOST_CLIENT);
	err = pthread_create(&thread, NULL, canary, r->record);
	if (err != 0)
		return run_problem(r, -err, "canary", strerror(err));
	r->record->environment = false;
	return 0;
}

/* Is this program started by a step? */
static bool run_by_step(const struct run *r, enum who who)
{
	for (unsigned i = 0; i < r->drill->step.count; i++) {
		const struct step *s = &r->drill->step.at[i];

		if (s->verb == VERB_SIGNAL && s->proc == who)
			return false; /* it lives before: the start is a restart */
		if (s->verb == VERB_START && s->proc == who)
			return true;
	}
	return false;
}

static int run_programs(struct run *r)
{
	int err = 0;

	for (unsigned i = 0; i < r->drill->servers && err == 0; i++)
		if (!run_by_step(r, WHO_SERVER + i))
			err = run_program(r, WHO_SERVER + i);
	r->record->start_ns = clock_now_ns();
	if (err == 0 && !run_by_step(r, WHO_CLIENT))
		err = run_program(r, WHO_CLIENT);
	return err;
}

static bool client_ended(struct run *r, void *arg)
{
	(void)arg;
	return r->procs[WHO_CLIENT].ended || !r->procs[WHO_CLIENT].pid;
}

static bool all_ended(struct run *r, void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < RUN_PROCS; i++)
		if (r->procs[i].pid && !r->procs[i].ended)
			return false;
	return true;
}

/* Asks a program and all that it has started to end. */
static void run_end(const struct proc *p)
{
	pid_t pids[ENDED_MAX];
	unsigned count = p->pid && !p->ended ? proc_tree(p->pid, pids, ENDED_MAX) : 0;

	for (unsigned i = 0; i < count; i++) {
		kill(pids[i], SIGTERM);
		kill(pids[i], SIGCONT);
	}
}

/* The client comes to its own end, the servers are asked to, and how each ended before that is
 * what counts. */
static void run_tear_down(struct run *r)
{
	struct record *rec = r->record;

	if (!r->drill->client_lines && act_done(r))
		run_until(r, r->deadline_ns, client_ended, NULL);
	run_look(r, "end");
	run_counters(r, rec->after);
	rec->end_ns = clock_now_ns();
	timeline_add(&rec->timeline, rec->end_ns, WHO_DRILL, "end; what follows is the clean-up");
	proc_hangup(&r->procs[WHO_CLIENT]);
	if (r->drill->client_lines)
		run_until(r, clock_now_ns() + SEC(1), client_ended, NULL);
	for (unsigned i = 0; i < RUN_PROCS; i++) {
		const struct proc *p = &r->procs[i];

		rec->ending[i] = (struct ending){ p->pid != 0, p->ended, p->status, p->ended_ns };
	}
	if (r->procs[WHO_CLIENT].ended && WIFEXITED(r->procs[WHO_CLIENT].status) &&
	    WEXITSTATUS(r->procs[WHO_CLIENT].status) >= NOT_RUN)
		program_failed(r, WHO_CLIENT, "the client");
	rec->fault_packets = hosts_fault_packets(&r->hosts);
	prove_end(r);
	command_take_load(rec->load, sizeof(rec->load));
	for (unsigned i = 0; i < RUN_PROCS; i++)
		run_end(&r->procs[i]);
	r->deadline_ns = clock_now_ns() + SEC(1);
	run_until(r, r->deadline_ns, all_ended, NULL);
	wire_stop(r->wire);
}

/* Process 1. */
static int run_inside(void *arg)
{
	struct run *r = arg;
	int err;

	signal(SIGPIPE, SIG_IGN);
	r->deadline_ns = clock_now_ns() + SEC(60); /* for the set-up */
	r->record->unix_offset_ns = clock_unix_ns() - clock_now_ns();
	err = run_set_up(r);
	if (err < 0)
		return EXIT_ENVIRONMENT;
	run_counters(r, r->record->before);
	err = run_programs(r);
	if (err == 0) {
		r->deadline_ns = clock_now_ns() + r->drill->limit;
		act(r);
	}
	run_tear_down(r);
	r->record->complete = true;
	return EXIT_OK;
}

pid_t run_start(struct run *r)
{
	return ns_spawn(run_inside, r, &r->record->why);
}
