/* SPDX-License-Identifier: MIT
 * opts: the rows of echodrill's options.
 */
#include "opts.h"

#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/progress_line.h"
#include "echo/base/textwrap.h"
#include "echodrill/report/report.h"
#include "echodrill/script/verb.h"

#define FORMAT_NAME(name_) #name_,
static const char *const outputs[] = { REPORT_FORMATS(FORMAT_NAME) NULL };

static const char *const timelines[] = { "auto", "always", "never", NULL };
static const char *const groups[] = { "classic", "relative", "matrix", "long",
				      "program", "default",  NULL };

const struct opt drill_opts[] = {
	OPT_UINT(drill_config, jobs, "1", 1, 64, "drills at a time", .letter = 'j'),
	OPT_ENUM(drill_config, output, "text", outputs,
		 "what is printed; json: an object of echodrill/1 a line; markdown: a page of what "
		 "clients saw, and when; lesson: what a program missed",
		 .letter = 'o'),
	OPT_ENUM(drill_config, timeline, "auto", timelines,
		 "show what happened, in order; auto: of a single drill, and of those that do not "
		 "pass"),
	OPT_ENUM(drill_config, progress, "auto", progress_line_modes, PROGRESS_LINE_HELP),
	OPT_ENUM(
		drill_config, group, "default", groups,
		"what is run when no drill is named; default: all but the long ones and those for any "
		"program, which are the default with --programs"),
	OPT_PATH(drill_config, json, NULL, "write the results to this file too, as JSON lines"),
	OPT_PATH(drill_config, pcap, NULL, "keep what went over the wire in this directory"),
	OPT_PATH(drill_config, svg, NULL,
		 "draw the drill: programs, kernels, segments and states over time"),
	OPT_PATH(drill_config, html, NULL,
		 "draw every drill into this directory, with a page of all of them"),
	OPT_PATH(drill_config, drills, NULL,
		 "directory of the drills; without it those that came with echodrill"),
	OPT_STRING(drill_config, server, NULL,
		   "run this instead of echod; {server} and {port} are where it must listen"),
	OPT_STRING(drill_config, client, NULL,
		   "run this instead of echoload; {server} and {port} are its target"),
	OPT_STRING(
		drill_config, request, NULL,
		"with --client: a line for its input that makes it ask; without it the client asks as "
		"soon as it is started, and keeps no connection"),
	OPT_STRING(
		drill_config, programs, NULL,
		"run these clients, each with its server: program files, NAME[:cure][/SERVER],..., or "
		"all"),
	OPT_PATH(drill_config, programs_dir, NULL,
		 "directory of the program files; without it those that came with echodrill"),
	OPT_STRING(drill_config, server_backend, NULL,
		   "backend of echod, where the drill does not say"),
	OPT_STRING(drill_config, client_backend, NULL,
		   "backend of echoload, where the drill does not say"),
	OPT_BOOL(drill_config, all, "off",
		 "run each drill with every backend of server and client"),
	OPT_FLAG(drill_config, without_fault,
		 "leave the faults out: no drill may pass then (a test of the drills)"),
	OPT_FLAG(drill_config, negate,
		 "turn each expectation round, one at a time: none may pass (a test of the "
		 "drills)"),
	OPT_TIME(drill_config, user_timeout, "off", 0, SEC(86400),
		 "explain: TCP_USER_TIMEOUT of the client"),
	OPT_TIME(drill_config, answer_timeout, "off", 0, SEC(86400),
		 "explain: how long the client waits for an answer"),
	OPT_FLAG(drill_config, icmp_errors, "explain: IP_RECVERR, an ICMP error is an end"),
	OPT_UINT(drill_config, keepalive_idle, "0", 0, 32767,
		 "explain: TCP_KEEPIDLE in seconds; 0: no keepalive"),
	OPT_UINT(drill_config, keepalive_interval, "0", 0, 32767,
		 "explain: TCP_KEEPINTVL in seconds; 0: the host's"),
	OPT_UINT(drill_config, keepalive_count, "0", 0, 127, "explain: TCP_KEEPCNT; 0: the host's"),
	OPT_UINT(drill_config, seed, "0", 0, INT64_MAX,
		 "chaos: the same seed has the same faults; 0: one that the clock chooses"),
	OPT_UINT(drill_config, minutes, "3", 0, 10000,
		 "chaos: begin no further round after this; one takes about half a minute; 0: only "
		 "the first, --jobs of them"),
	OPT_UINT(drill_config, round, "0", 0, 1000000,
		 "chaos: only this round of the seed; 0: one after another"),
	OPT_UINT(drill_config, faults, "8", 1, 8, "chaos: faults of a round"),
	OPT_FLAG(drill_config, print_drill,
		 "chaos: print the drill of --round, a file for `run`, and run nothing"),
	PROGRAM_ROWS(drill_config),
	OPT_END,
};

static const char before_verbs[] =
	"Commands:\n"
	"  list                the drills and what they are about\n"
	"  show NAME           all that a drill does: hosts, programs, steps and\n"
	"                      expectations\n"
	"  run [NAME...]       run drills; a NAME may be a file\n"
	"  check FILE...       is this a drill?\n"
	"  programs            the program files, and what of them is missing here\n"
	"  probe               the faults that matter against --client: what it notices,\n"
	"                      what it never does, what to set; exit 1 if there is one\n"
	"                      that it never does\n"
	"  explain             when a client notices each fault, on this host, by TCP's\n"
	"                      formulas\n"
	"  chaos               random faults on a running load, for --minutes; after each\n"
	"                      all must settle: connections are back, nothing has leaked;\n"
	"                      in the end the books must balance, and outcomes be what\n"
	"                      the capture says\n"
	"  lesson [N]          grades a program of yours (--client CMD or --server CMD)\n"
	"                      in the drills of lesson N and says what it missed; without\n"
	"                      N: the lessons\n"
	"\n"
	"Drill files:\n"
	"  [drill]   story (repeats), sooner, group, family = ipv4|ipv6, delay, limit,\n"
	"            words = on (what programs print counts, whoever's they are),\n"
	"            timeless = on (no expectation depends on how fast this machine is),\n"
	"            needs, explain, answered (of drills for any client)\n"
	"  [hosts]   sysctl = HOST NAME VALUE, ip = HOST TEXT (both repeat)\n"
	"  [server]  options, count = 1|2, fork = on (a server of many processes will do)\n"
	"  [client]  options\n"
	"  [steps]   step = [at T|after T] [LABEL:] [fault] VERB ... (repeats), with\n";

static const char after_verbs[] =
	"  [expect]  expect = NAME OP VALUE (repeats); OP: == != < <= > >= in; NAME:\n"
	"    PROC.exit .signal .running .ended .said./RE/ .when./RE/\n"
	"    load.KEY.KEY  outcome.CAUSE.PHASE.ERRNO.count (lost, first, last; * for any)\n"
	"    outage.count  outage.N.noticed (begin, first_success, recovered)  dial.LABEL\n"
	"    fault.packets\n"
	"    state.LOOK.HOST.STATE  unread.LOOK.HOST  unsent.LOOK.HOST  backlog.LOOK.HOST\n"
	"    wire.SIDE.DIR.KIND or wire.SIDE./FILTER/ [.when]; DIR: c2s s2c any; KIND:\n"
	"    syn fin rst data ack icmp all  counter.HOST.NAME (as nstat names it)\n"
	"    zombies.LOOK.server  mismatch.wire (outcomes that the capture does not bear\n"
	"    out)\n"
	"  missed = TEXT (repeats), below a step or an expectation: what it means that it\n"
	"    failed\n"
	"  [means]   NAME = never | FROM..TO CAUSE: the drill is run with each of these\n"
	"    means of the client alone, and then it must know; NAME: none limit user\n"
	"    keepalive icmp. Drills with means make the table of `run`'s end. A step\n"
	"    labelled from is what the time is counted from, else the fault, or the\n"
	"    client's start where that is later.\n"
	"  Times and frames count from the first fault, NAME@LABEL from another step,\n"
	"  @start from the client's start, @heard from the last news of the server.\n"
	"  PROC: client, server, server2; of signals also child, children, parent (of a\n"
	"  forking server), listener (of share: it listens beside the server and accepts\n"
	"  nobody).\n"
	"  HOST: client, wire, router, server.\n"
	"\n"
	"Hosts are network namespaces that vanish with echodrill; no root is needed where\n"
	"the kernel gives private namespaces to users.\n"
	"\n"
	"Exit codes: 0 all drills passed, 1 an expectation failed, 2 usage or\n"
	"configuration, 4 environment, 5 inconclusive (a fault was not shown to be\n"
	"active, or the machine was late), 77 all were skipped (no namespaces here), 129,\n"
	"130 and 143 interrupted (SIGHUP, SIGINT, SIGTERM).\n";

enum { USAGE_AT = 12 };

/* A verb, and what follows it in its column. */
static void put_usage(FILE *to, const char *usage)
{
	size_t len = strcspn(usage, " ");
	char verb[USAGE_AT];

	snprintf(verb, sizeof(verb), "    %.*s", (int)len, usage);
	textwrap_put(to, verb, USAGE_AT, 0, usage + len + (usage[len] == ' '));
}

const char *drill_after(void)
{
	static char text[8192];
	FILE *to = fmemopen(text, sizeof(text), "w");

	if (!to)
		return before_verbs;
	fputs(before_verbs, to);
	for (unsigned i = 0; verbs[i]; i++)
		put_usage(to, verbs[i]->usage);
	fputs(after_verbs, to);
	fclose(to);
	return text;
}
