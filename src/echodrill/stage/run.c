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

#include "act.h"
#include "command.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/program.h"
#include "echodrill/rig/sockets.h"
#include "echodrill/script/pattern.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "launch.h"
#include "loop.h"
#include "notice.h"

enum { CANARY_STEP_MS = 5, DISCARD_PORT = 9, ENDED_MAX = 256, SET_UP_S = 120 };

/* Of one whose record could be made: what it has. */
static void run_free(struct run *r)
{
	munmap(r->record, sizeof(*r->record));
	for (unsigned i = 0; i < WIRE_SIDES; i++)
		if (r->pcap[i] >= 0)
			close(r->pcap[i]);
}

int run_open(struct run *r, const struct drill *d, const struct run_options *o)
{
	int e = 0;

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
			e = -errno;
	}
	if (e < 0) {
		run_free(r);
		return e;
	}
	tasks_find_softirqs(&r->waits);
	return 0;
}

void run_close(struct run *r)
{
	tasks_close_softirqs(&r->waits);
	run_free(r);
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
		record_late(rec, late);
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
			return loop_problem(r, -EINVAL, at, r->hosts.why);
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
			return loop_problem(r, -EINVAL, "sysctl", r->hosts.why);
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
		return loop_problem(r, err, "cannot make the hosts", r->hosts.why);
	err = run_hosts(r);
	if (err < 0)
		return err;
	r->wire = wire_start(&r->hosts, r->drill->delay, r->pcap, &r->record->wire);
	if (r->wire < 0)
		return loop_problem(r, r->wire, "cannot make the wire", strerror(-r->wire));
	r->probe[0] = run_probe(r, HOST_CLIENT, HOST_SERVER);
	r->probe[1] = run_probe(r, HOST_SERVER, HOST_CLIENT);
	err = pthread_create(&thread, NULL, canary, r->record);
	if (err != 0)
		return loop_problem(r, -err, "canary", strerror(err));
	r->record->environment = false;
	return 0;
}

/* Is this program started by a step? Not if one before it ends it, or waits for its end. */
static bool run_by_step(const struct run *r, enum who who)
{
	for (unsigned i = 0; i < r->drill->step.count; i++) {
		const struct step *s = &r->drill->step.at[i];

		if (s->proc == who &&
		    (s->verb == &verb_signal || (s->verb == &verb_await && s->what == AWAIT_EXIT)))
			return false; /* it lives before: the start is a restart */
		if (s->verb == &verb_start && s->proc == who)
			return true;
		if (s->verb == &verb_client && who == WHO_CLIENT)
			return true;
	}
	return false;
}

static int run_programs(struct run *r)
{
	int err = 0;

	for (unsigned i = 0; i < r->drill->servers && err == 0; i++)
		if (!run_by_step(r, WHO_SERVER + i))
			err = launch_program(r, WHO_SERVER + i);
	r->record->start_ns = clock_now_ns();
	if (err == 0 && !run_by_step(r, WHO_CLIENT))
		err = launch_program(r, WHO_CLIENT);
	return err;
}

static bool client_ended(struct run *r, void *arg)
{
	(void)arg;
	return r->procs[WHO_CLIENT].ended || !r->procs[WHO_CLIENT].pid;
}

/* What has been sent by now has passed the wire. */
static bool wire_is_empty(struct run *r, void *arg)
{
	return wire_has_seen(&r->record->wire, arg);
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
	int count = p->pid && !p->ended ? proc_tree(p->pid, pids, ENDED_MAX) : 0;

	count = count < 0 ? 1 : count; /* the others go with the machine */
	for (int i = 0; i < count; i++) {
		kill(pids[i], SIGTERM);
		kill(pids[i], SIGCONT);
	}
}

static void run_take_load(struct run *r)
{
	const int e = command_take_load(r->record->load, sizeof(r->record->load));

	if (e < 0)
		loop_problem(r, e, "the client's result",
			     e == -EFBIG ? "is longer than 512 KiB" : strerror(-e));
}

/* The client comes to its own end, the servers are asked to, and how each ended before that is
 * what counts. */
static void run_tear_down(struct run *r)
{
	struct record *rec = r->record;
	uint64_t sent[3];

	if (!r->drill->client_lines && act_done(r))
		loop_until(r, r->deadline_ns, client_ended, NULL);
	wire_sent(&r->hosts, sent);
	loop_until(r, clock_now_ns() + SEC(1), wire_is_empty, sent);
	loop_look(r, "end");
	run_counters(r, rec->after);
	if (run_is_foreign(r, WHO_CLIENT))
		notice_any(r);
	rec->end_ns = clock_now_ns();
	timeline_add(&rec->timeline, rec->end_ns, WHO_DRILL, "end; what follows is the clean-up");
	proc_hangup(&r->procs[WHO_CLIENT]);
	if (r->drill->client_lines)
		loop_until(r, clock_now_ns() + SEC(1), client_ended, NULL);
	for (unsigned i = 0; i < RUN_PROCS; i++) {
		const struct proc *p = &r->procs[i];

		rec->ending[i] = (struct ending){ p->pid != 0, p->ended, p->status, p->ended_ns };
	}
	if (r->procs[WHO_CLIENT].ended && launch_not_run(r->procs[WHO_CLIENT].status))
		launch_failed(r, WHO_CLIENT, "the client");
	rec->fault_packets = hosts_fault_packets(&r->hosts);
	act_end(r);
	run_take_load(r);
	for (unsigned i = 0; i < RUN_PROCS; i++)
		run_end(&r->procs[i]);
	r->deadline_ns = clock_now_ns() + SEC(1);
	loop_until(r, r->deadline_ns, all_ended, NULL);
	wire_stop(r->wire);
}

/* Process 1. */
static int run_inside(void *arg)
{
	struct run *r = arg;
	int err;

	signal(SIGPIPE, SIG_IGN);
	r->deadline_ns = clock_now_ns() + SEC(SET_UP_S);
	r->record->unix_offset_ns = clock_unix_ns() - clock_now_ns();
	err = run_set_up(r);
	if (err < 0)
		return EXIT_ENVIRONMENT;
	run_counters(r, r->record->before);
	err = launch_files(r);
	if (err == 0)
		err = run_programs(r);
	if (err == 0) {
		r->deadline_ns = clock_now_ns() + r->drill->limit;
		act(r);
	}
	run_tear_down(r);
	if (pattern_no_memory()) { /* a word may have been said that was not found */
		r->record->environment = true;
		loop_problem(r, -ENOMEM, "regular expressions", strerror(ENOMEM));
		return EXIT_ENVIRONMENT;
	}
	r->record->complete = true;
	return EXIT_OK;
}

pid_t run_start(struct run *r)
{
	return ns_spawn(run_inside, r, &r->record->why);
}
