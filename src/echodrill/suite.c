/* SPDX-License-Identifier: MIT
 * suite: a table of drills x backends, of which a few are under way at any time.
 */
#include "suite.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/log.h"
#include "echo/base/output.h"
#include "echo/base/stop.h"
#include "echo/lab/tojson.h"
#include "echodrill/report/report.h"
#include "echodrill/script/pattern.h"
#include "echodrill/script/program.h"
#include "echodrill/stage/backends.h"
#include "echodrill/stage/run.h"
#include "echodrill/verdict/capture.h"
#include "echodrill/verdict/judge.h"
#include "echodrill/verdict/observe.h"
#include "keep.h"
#include "opts.h"
#include "pairs.h"
#include "suite_progress.h"

enum { SUITE_MAX = 1024, SUITE_WIRE_EVENTS = 400 };

struct job {
	const struct drill *drill;
	struct run_options options;
	struct run run;
	char skip[OPT_TEXT_MAX]; /* why it cannot be run here; "": it can */
	bool not_applicable;     /* ... nor anywhere */
	pid_t pid;               /* 0: not started or done */
	int64_t started_ns;
};

struct suite {
	const struct drill_config *config;
	unsigned count, next, running, reported;
	bool named; /* clients are program files, and results have their names */
	int signal; /* that ends us, 0: none */
	unsigned verdicts[4];
	struct suite_progress progress;
	FILE *json;
	bool json_failed;
	bool full;   /* there are more runs than it holds */
	int trouble; /* an exit code that is not a verdict's */
	struct job at[SUITE_MAX];
	struct summary summary[SUITE_MAX];
};

/* With --negate the verdict is the best that any turned expectation gives: none may pass. */
static void suite_judge(const struct suite *s, const struct run *r, struct judgement *j)
{
	static struct judgement worst;
	unsigned weight[] = { [VERDICT_FAIL] = 0,
			      [VERDICT_SKIPPED] = 1,
			      [VERDICT_INCONCLUSIVE] = 2,
			      [VERDICT_PASS] = 3 };

	judge(r, 0, j);
	if (!s->config->negate || j->verdict != VERDICT_PASS)
		return;
	for (unsigned i = 1; i <= r->drill->expect.count + (r->options->detector != NULL); i++) {
		judge(r, i, &worst);
		if (i == 1 || weight[worst.verdict] > weight[j->verdict])
			*j = worst;
	}
}

/* Of the client, before the clean-up. */
static int suite_exit_code(const struct record *rec)
{
	const struct ending *e = &rec->ending[WHO_CLIENT];

	return e->ended && e->t_ns <= rec->end_ns && WIFEXITED(e->status) ? WEXITSTATUS(e->status)
									  : -1;
}

/* Looks at what became of --json, 0 or -errno; the first failure is said. */
static void suite_wrote(struct suite *s, int e)
{
	if (e < 0 && !s->json_failed)
		log_error("cannot write %s: %s", s->config->json, output_strerror(-e));
	s->json_failed |= e < 0;
	if (e < 0)
		s->trouble = EXIT_ENVIRONMENT;
}

/* Writes a line, as a whole or not at all. Returns 0 or -errno. */
static int suite_json(const struct result *r, FILE *to)
{
	const off_t at = ftello(to); /* -1: a pipe, of which nothing can be taken back */
	const int e = report_run_json(r, to);

	if (e == 0 || at < 0)
		return e;
	__fpurge(to);
	if (ftruncate(fileno(to), at) == 0)
		(void)fseeko(to, at, SEEK_SET);
	return e;
}

/* Of a client whose result, or whose words, there was no memory to read nothing is known. */
static void suite_lacks_memory(const struct run *r)
{
	struct record *rec = r->record;

	if (!tojson_no_memory() && !pattern_no_memory())
		return;
	rec->complete = false;
	rec->environment = true;
	snprintf(rec->why.text, sizeof(rec->why.text), "no memory for its result");
}

/* Segments, which belong to the timeline and to the picture. */
static void suite_tell(const struct run *r)
{
	struct record *rec = r->record;

	if (capture_tell(r->pcap[WIRE_CLIENT], &rec->timeline, "", SUITE_WIRE_EVENTS) < 0 &&
	    record_sound(rec))
		snprintf(rec->problem, sizeof(rec->problem), "the capture cannot be read");
}

static void suite_report(struct suite *s, struct job *p)
{
	static struct judgement j;
	struct summary *sum = &s->summary[p - s->at];
	struct result result = { .name = sum->name,
				 .file = sum->file,
				 .drill = p->drill,
				 .run = &p->run,
				 .judgement = &j,
				 .not_applicable = p->not_applicable ? p->skip : NULL,
				 .took_ns = clock_now_ns() - p->started_ns };
	bool whole;

	suite_tell(&p->run);
	timeline_sort(&p->run.record->timeline);
	observe_open(&p->run);
	suite_lacks_memory(&p->run);
	suite_judge(s, &p->run, &j);
	observe_close();
	s->verdicts[j.verdict]++;
	s->reported++;
	suite_progress_ended(&s->progress, p->drill, result.took_ns, j.verdict == VERDICT_FAIL,
			     clock_now_ns());
	sum->done = true;
	sum->sound = record_sound(p->run.record);
	sum->verdict = j.verdict;
	sum->knew_ns = j.knew_ns;
	snprintf(sum->knew, sizeof(sum->knew), "%s", j.knew);
	snprintf(sum->reason, sizeof(sum->reason), "%.159s", j.reason);
	sum->not_applicable = p->not_applicable;
	sum->ended = suite_exit_code(p->run.record);
	if (p->run.record->environment)
		s->trouble = EXIT_ENVIRONMENT;
	whole = s->config->timeline == TIMELINE_ALWAYS ||
		(s->config->timeline == TIMELINE_AUTO &&
		 (s->count == 1 || j.verdict == VERDICT_FAIL));
	suite_progress_clear(&s->progress);
	report_result(s->config->output, &result, whole && p->run.record->complete, s->reported);
	if (s->json)
		suite_wrote(s, suite_json(&result, s->json));
	if (keep_pcap(s->config, &result) < 0 || keep_picture(s->config, &result) < 0)
		s->trouble = EXIT_ENVIRONMENT;
}

static void suite_start(struct suite *s)
{
	struct job *p = &s->at[s->next++];
	int r = run_open(&p->run, p->drill, &p->options);
	const bool opened = r == 0;

	p->started_ns = clock_now_ns();
	if (r == 0 && p->skip[0]) {
		snprintf(p->run.record->why.text, sizeof(p->run.record->why.text), "%.*s",
			 NS_WHY_MAX - 1, p->skip);
		suite_progress_started(&s->progress, p->started_ns);
		suite_report(s, p);
		run_close(&p->run);
		return;
	}
	if (r == 0)
		p->pid = r = run_start(&p->run);
	if (r < 0) {
		log_error("cannot start a drill: %s", strerror(-r));
		s->trouble = EXIT_ENVIRONMENT;
		p->pid = 0;
		if (opened)
			run_close(&p->run);
		return;
	}
	s->running++;
	suite_progress_started(&s->progress, p->started_ns);
}

/* The private machine with this pid is gone. */
static void suite_ended(struct suite *s, pid_t pid)
{
	for (unsigned i = 0; i < s->next; i++) {
		if (s->at[i].pid != pid)
			continue;
		s->at[i].pid = 0;
		s->running--;
		if (!s->signal)
			suite_report(s, &s->at[i]);
		run_close(&s->at[i].run);
	}
}

/* Waits for a drill's end or a signal to us, and shows meanwhile how far it is. */
static void suite_wait(struct suite *s, const sigset_t *signals)
{
	const struct timespec moment = { .tv_nsec = MSEC(SUITE_PROGRESS_MS) };
	int number;
	pid_t pid;

	suite_progress_show(&s->progress, clock_now_ns());
	number = sigtimedwait(signals, NULL, s->progress.line.on ? &moment : NULL);

	if (number > 0 && number != SIGCHLD)
		s->signal = number;
	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		suite_ended(s, pid);
}

/* The outer process dies, and with it all that is inside. */
static void suite_kill(struct suite *s)
{
	for (unsigned i = 0; i < s->next; i++)
		if (s->at[i].pid > 0)
			kill(s->at[i].pid, SIGKILL);
	s->next = s->count;
}

/* The name of the drill and of what else tells its runs apart; a number where nothing does. */
static void suite_name_file(struct suite *s, unsigned job)
{
	struct summary *sum = &s->summary[job];
	const struct run_options *o = &s->at[job].options;
	unsigned same = 0;

	for (unsigned i = 0; i < job; i++)
		same += strcmp(s->summary[i].name, sum->name) == 0 &&
			strcmp(s->at[i].options.server_backend, o->server_backend) == 0 &&
			strcmp(s->at[i].options.client_backend, o->client_backend) == 0;
	snprintf(sum->file, sizeof(sum->file), "%s%s%s%s%s%s%s%s%s", s->at[job].drill->name,
		 o->detector ? "-" : "", o->detector ? o->detector->name : "", s->named ? "-" : "",
		 s->named ? o->client->name : "", o->server_backend[0] ? "-" : "",
		 o->server_backend, o->client_backend[0] ? "-" : "", o->client_backend);
	if (same > 0)
		snprintf(sum->file + strlen(sum->file), sizeof(sum->file) - strlen(sum->file),
			 ".%u", same + 1);
	for (char *c = sum->file; *c; c++)
		*c = *c == '/' || *c == ':' ? '-' : *c;
}

/* Whether this client can be drilled so, and the programs are here. */
static void suite_look(struct job *p)
{
	const struct program *client = p->options.client, *server = p->options.server;

	if (p->drill->needs == NEEDS_CONNECTION && client && !client->client.request[0])
		snprintf(p->skip, sizeof(p->skip), "not applicable: it keeps no connection");
	if (p->drill->needs == NEEDS_TRANSFER && (!client || !client->client.transfer[0]))
		snprintf(p->skip, sizeof(p->skip), "not applicable: it has no long transfer");
	p->not_applicable = p->skip[0];
	if (!p->skip[0] && server)
		program_check(server, p->skip);
	if (!p->skip[0] && client)
		program_check(client, p->skip);
}

static void suite_add(struct suite *s, const struct drill *d, const struct run_options *o)
{
	struct job *p = &s->at[s->count];
	struct summary *sum = &s->summary[s->count];

	s->full |= s->count == SUITE_MAX;
	if (s->full)
		return;
	s->count++;
	suite_progress_add(&s->progress, d);
	p->drill = sum->drill = d;
	p->options = *o;
	sum->detector = o->detector;
	sum->client = o->client;
	snprintf(sum->name, sizeof(sum->name), "%s%s%s%s%s", s->named ? o->client->name : "",
		 s->named ? "/" : "", d->name, o->detector ? "/" : "",
		 o->detector ? o->detector->name : "");
	suite_look(p);
	suite_name_file(s, s->count - 1);
}

/* Once, or with each of its detectors. */
static void suite_add_detectors(struct suite *s, const struct drill *d,
				const struct run_options *backends)
{
	struct run_options o = *backends;

	o.without_fault = s->config->without_fault;
	o.must_notice = s->config->probe;
	if (d->client_lines)
		o.client_backend = "";

	if (!drill_has_detectors(d))
		suite_add(s, d, &o);
	for (unsigned i = 0; i < DETECTOR_COUNT; i++) {
		o.detector = &detectors[i];
		if (d->detector[i].set)
			suite_add(s, d, &o);
	}
}

/* Returns an exit code, and has said why if it is not EXIT_OK. */
static int suite_find(struct backend_list *l, const char *program)
{
	char why[OPT_ERROR_MAX];

	if (backends_find(l, program, why) == 0)
		return EXIT_OK;
	log_error("%s", why);
	return EXIT_ENVIRONMENT;
}

/* Each drill once, or with every pair of backends that it leaves open. */
static int suite_fill(struct suite *s, const struct drill *drills, unsigned count,
		      const struct pair *pair)
{
	const struct drill_config *c = s->config;
	static struct backend_list servers, clients;
	int r = c->all ? suite_find(&servers, "echod") : EXIT_OK;

	if (r == EXIT_OK && c->all)
		r = suite_find(&clients, "echoload");
	if (r != EXIT_OK)
		return r;
	for (unsigned i = 0; i < count; i++) {
		const struct drill *d = &drills[i];
		bool server = c->all && !backends_fixed(&d->server_options);
		bool client = c->all && !d->client_lines && !backends_fixed(&d->client_options);

		for (unsigned a = 0; a < (server ? servers.count : 1); a++) {
			if (server && !d->server_fork && strcmp(servers.name[a], "fork") == 0)
				continue;
			for (unsigned b = 0; b < (client ? clients.count : 1); b++)
				suite_add_detectors(
					s, d,
					&(struct run_options){
						.server = pair->server,
						.client = pair->client,
						.server_backend = server ? servers.name[a]
									 : c->server_backend,
						.client_backend = client ? clients.name[b]
									 : c->client_backend });
		}
	}
	return EXIT_OK;
}

/* Signals wait until we look at them. */
static void suite_signals(sigset_t *signals)
{
	stop_signals(signals);
	sigaddset(signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, signals, NULL);
}

/* A backend that is asked for must be one. */
static int suite_backend(const char *program, const char *name)
{
	struct backend_list l;

	if (name[0] == '\0' || strcmp(name, "auto") == 0)
		return EXIT_OK;
	if (suite_find(&l, program) != EXIT_OK)
		return EXIT_ENVIRONMENT;
	for (unsigned i = 0; i < l.count; i++)
		if (strcmp(l.name[i], name) == 0)
			return EXIT_OK;
	log_error("%s has no backend '%s' that runs here", program, name);
	return EXIT_USAGE;
}

int suite_run(const struct drill_config *c, const struct drill *drills, unsigned count,
	      const struct pair_list *pairs)
{
	static struct suite s;
	sigset_t signals;
	int code = suite_backend("echod", c->server_backend);

	if (code == EXIT_OK)
		code = suite_backend("echoload", c->client_backend);
	if (code != EXIT_OK)
		return code;
	s.config = c;
	suite_progress_begin(&s.progress, c->progress, c->jobs, c->until_ns);
	s.named = c->programs[0];
	for (unsigned i = 0; i < pairs->count && code == EXIT_OK; i++)
		code = suite_fill(&s, drills, count, &pairs->at[i]);
	if (code == EXIT_OK && s.full) {
		log_error("more than %d runs: of drills, means, programs and backends together",
			  SUITE_MAX);
		code = EXIT_USAGE;
	}
	if (code == EXIT_OK)
		code = keep_check(c, s.count);
	if (code != EXIT_OK)
		return code;
	if (c->json[0]) {
		s.json = output_open(c->json);
		if (!s.json) {
			log_error("cannot write %s: %s", c->json, strerror(errno));
			return EXIT_ENVIRONMENT;
		}
	}
	suite_signals(&signals);
	report_begin(c->output, c->until_ns ? 0 : s.count);
	while (s.next < s.count || s.running > 0) {
		if (c->until_ns && s.next > 0 && clock_now_ns() >= c->until_ns)
			s.count = s.next;
		while (s.next < s.count && s.running < c->jobs && !s.signal)
			suite_start(&s);
		if (s.signal)
			suite_kill(&s);
		if (s.running > 0)
			suite_wait(&s, &signals);
	}
	suite_progress_clear(&s.progress);
	if (s.json)
		suite_wrote(&s, fclose(s.json) != 0 ? -errno : 0);
	if (s.signal)
		return 128 + s.signal;
	report_end(c->output, s.summary, s.count);
	if (keep_index(c, s.summary, s.count) < 0)
		s.trouble = EXIT_ENVIRONMENT;
	if (tojson_no_memory()) {
		log_error("results are missing: %s", strerror(ENOMEM));
		s.trouble = EXIT_ENVIRONMENT;
	}
	return s.trouble ? s.trouble : judge_exit(s.verdicts);
}
