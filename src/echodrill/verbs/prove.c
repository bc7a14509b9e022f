/* SPDX-License-Identifier: MIT
 * prove: a fault at a time is looked at, so one memory of how it was before is enough.
 */
#include "prove.h"

#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/run.h"

enum { STATE_MAX = 16384 };

static char state_before[STATE_MAX], state_after[STATE_MAX];

static void __attribute__((format(printf, 2, 3))) doubt(struct outcome *o, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(o->doubt, sizeof(o->doubt), fmt, args);
	va_end(args);
	o->active = false;
}

/* ---- ip, tc, sysctl: what it was to change ---- */

/* The word of a command that follows @key, or "". */
static void word_after(const char *text, const char *key, char word[DRILL_WORD_MAX])
{
	char now[OPT_TEXT_MAX], before[OPT_TEXT_MAX] = "";

	word[0] = '\0';
	while (word_next(&text, now, sizeof(now)) == 0) {
		if (strcmp(before, key) == 0)
			snprintf(word, DRILL_WORD_MAX, "%.15s", now);
		memcpy(before, now, sizeof(before));
	}
}

static void ask_ip(struct run *r, const struct step *s, char state[STATE_MAX])
{
	const char *family = r->hosts.family == 6 ? "-6" : "-4", *at = s->rest;
	char object[DRILL_WORD_MAX] = "";
	const char *argv[] = { "ip", "-o", family, object, "show", NULL };

	word_next(&at, object, sizeof(object));
	if (strcmp(object, "link") == 0)
		argv[2] = "-d"; /* of no family */
	hosts_ask(&r->hosts, s->host, argv, state, STATE_MAX);
}

/* "sent": with its counters */
static void ask_tc(struct run *r, const struct step *s, bool sent, char state[STATE_MAX])
{
	char dev[DRILL_WORD_MAX];
	const char *const argv[] = { "tc", sent ? "-s" : "-d", "qdisc", "show", "dev", dev, NULL };

	word_after(s->rest, "dev", dev);
	hosts_ask(&r->hosts, s->host, argv, state, STATE_MAX);
}

static void ask_sysctl(struct run *r, const struct step *s, char state[STATE_MAX])
{
	const char *at = s->rest;
	char name[128] = "";

	word_next(&at, name, sizeof(name));
	hosts_sysctl_read(&r->hosts, s->host, name, state, STATE_MAX);
}

static bool ask(struct run *r, const struct step *s, char state[STATE_MAX])
{
	state[0] = '\0';
	if (s->verb == VERB_IP)
		ask_ip(r, s, state);
	else if (s->verb == VERB_TC)
		ask_tc(r, s, false, state);
	else if (s->verb == VERB_SYSCTL)
		ask_sysctl(r, s, state);
	else
		return false;
	return true;
}

/* One blank between words. */
static void squeeze(const char *text, char line[128])
{
	char word[OPT_TEXT_MAX];
	size_t len = 0;

	line[0] = '\0';
	while (len < 110 && word_next(&text, word, sizeof(word)) == 0)
		len += (size_t)snprintf(line + len, 128 - len, "%s%.60s", len ? " " : "", word);
}

/* The first line of @text that is not in @other, or NULL. */
static const char *new_line(const char *text, const char *other, char line[128])
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		char whole[512];

		snprintf(whole, sizeof(whole), "%.*s", (int)n, text);
		if (!strstr(other, whole)) {
			squeeze(whole, line);
			return line;
		}
		text += n + (text[n] == '\n');
	}
	return NULL;
}

static void show_change(const struct step *s, struct outcome *o)
{
	char line[128];

	if (s->verb == VERB_SYSCTL)
		snprintf(o->shown, sizeof(o->shown), "was %.50s, is %.50s", state_before,
			 state_after);
	else if (new_line(state_after, state_before, line))
		snprintf(o->shown, sizeof(o->shown), "now: %.110s", line);
	else if (new_line(state_before, state_after, line))
		snprintf(o->shown, sizeof(o->shown), "gone: %.110s", line);
}

/* Packets that went through the discipline, by "Sent 0 bytes 0 pkt". */
static int64_t qdisc_packets(const char *state)
{
	const char *at = strstr(state, "Sent ");

	at = at ? strstr(at, "bytes ") : NULL;
	return at ? strtoll(at + 6, NULL, 10) : -1;
}

void prove_before(struct run *r, const struct step *s, struct outcome *o)
{
	if (s->verb == VERB_NFT)
		o->counted = hosts_fault_packets(&r->hosts);
	ask(r, s, state_before);
}

void prove_after(struct run *r, const struct step *s, struct outcome *o)
{
	if (!ask(r, s, state_after))
		return;
	if (strcmp(state_before, state_after) == 0)
		doubt(o, "nothing has changed: %.80s", s->rest);
	else
		show_change(s, o);
	if (s->verb == VERB_TC) {
		ask_tc(r, s, true, state_after);
		o->counted = qdisc_packets(state_after);
	}
}

/* ---- at the end: what was caught ---- */

static void prove_caught(struct run *r, const struct step *s, struct outcome *o)
{
	int64_t now;

	if (s->verb == VERB_NFT) {
		now = r->record->fault_packets;
	} else {
		ask_tc(r, s, true, state_after);
		now = qdisc_packets(state_after);
	}
	if (now > o->counted && o->counted >= 0)
		snprintf(o->shown, sizeof(o->shown), "caught %lld packets",
			 (long long)(now - o->counted));
	else
		doubt(o, "no packet went through it");
}

void prove_end(struct run *r)
{
	for (unsigned i = 0; i < r->drill->step.count; i++) {
		const struct step *s = &r->drill->step.at[i];
		struct outcome *o = &r->record->outcome[i];

		if (o->faulted && o->active && (s->verb == VERB_NFT || s->verb == VERB_TC))
			prove_caught(r, s, o);
	}
}

/* ---- signals ---- */

struct target {
	pid_t pid;
	int number;
};

static bool is_gone(struct run *r, void *arg)
{
	const struct target *t = arg;
	char state = proc_state(t->pid);

	(void)r;
	return state == 0 || state == 'Z';
}

static bool is_stopped(struct run *r, void *arg)
{
	const struct target *t = arg;

	(void)r;
	return proc_is_stopped(t->pid);
}

static bool goes_on(struct run *r, void *arg)
{
	const struct target *t = arg;

	(void)r;
	return proc_state(t->pid) != 'T';
}

/* Gone, or it no longer waits to be taken. */
static bool has_taken(struct run *r, void *arg)
{
	const struct target *t = arg;
	struct proc_signals s;

	if (is_gone(r, arg) || proc_signals(t->pid, &s) < 0)
		return true;
	return !(s.pending >> (t->number - 1) & 1);
}

/* A process that neither handles nor reads it has not taken it, however soon it went by. */
static bool can_take(const struct target *t)
{
	struct proc_signals s;

	if (is_gone(NULL, (void *)t) || proc_signals(t->pid, &s) < 0)
		return true;
	return ((s.caught | s.blocked) & ~s.ignored) >> (t->number - 1) & 1;
}

void prove_signal_before(const struct step *s, pid_t pid, struct outcome *o)
{
	if (s->number == SIGCONT && proc_state(pid) != 'T')
		doubt(o, "process %d was not stopped", (int)pid);
}

void prove_signal(struct run *r, const struct step *s, pid_t pid, bool left_out, struct outcome *o)
{
	static const struct {
		int number;
		bool (*done)(struct run *r, void *arg);
		const char *shown;
	} kinds[] = { { SIGKILL, is_gone, "is gone" },
		      { SIGSTOP, is_stopped, "is stopped" },
		      { SIGCONT, goes_on, "goes on" },
		      { 0, has_taken, "has taken it" } };
	struct target t = { pid, s->number };
	unsigned k = 0;

	while (kinds[k].number && kinds[k].number != s->number)
		k++;
	if (!run_until(r, clock_now_ns() + (left_out ? MSEC(200) : SEC(5)), kinds[k].done, &t))
		doubt(o, "process %d is in state %c", (int)pid, proc_state(pid));
	else if (kinds[k].number == 0 && (left_out || !can_take(&t)))
		doubt(o, "process %d lives and has not taken it", (int)pid);
	else if (o->active)
		snprintf(o->shown, sizeof(o->shown), "process %d %s", (int)pid,
			 is_gone(r, &t) ? "is gone" : kinds[k].shown);
}
