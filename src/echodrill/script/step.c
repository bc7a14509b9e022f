/* SPDX-License-Identifier: MIT
 * step: a step of a drill, from text: [at T|after T] [LABEL:] [fault] VERB ARGUMENTS.
 */
#include <assert.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drill.h"
#include "echo/base/base.h"
#include "echodrill/rig/diag.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/stage/proc.h"
#include "echodrill/stage/timeline.h"
#include "words.h"

static int step_host(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int host;

	if (word_next(text, s->who, sizeof(s->who)) == 0) {
		host = hosts_number(s->who);
		s->host = (unsigned)host;
		if (host >= 0)
			return 0;
	}
	return word_refuse(why, "needs a host: client, wire, router or server");
}

static int step_program(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	if (word_next(text, s->who, sizeof(s->who)) == 0)
		for (s->proc = 0; s->proc <= WHO_SERVER2; s->proc++)
			if (strcmp(timeline_who(s->proc), s->who) == 0)
				return 0;
	return word_refuse(why, "needs a program: client, server or server2");
}

/* A program, or a process that is no program of its own. */
static int step_process(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	static const char *const names[] = { "child", "children", "listener" };

	if (step_program(s, text, why) == 0)
		return 0;
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		s->proc = STEP_CHILD + i;
		if (strcmp(s->who, names[i]) == 0)
			return 0;
	}
	return word_refuse(why, "needs a process: client, server, server2, child, children or "
				"listener");
}

static int step_child(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int r = step_process(s, text, why);

	return r == 0 && s->proc != STEP_CHILD ? word_refuse(why, "needs the word child") : r;
}

static int step_rest(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	*text += strspn(*text, " ");
	if (**text == '\0')
		return word_refuse(why, "says nothing behind the verb");
	snprintf(s->rest, sizeof(s->rest), "%s", *text);
	*text += strlen(*text);
	return 0;
}

/* "/regex/" */
static int step_regex(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	const char *from = *text + strspn(*text, " "), *to;
	regex_t re;
	int r;

	to = *from == '/' ? strchr(from + 1, '/') : NULL;
	if (!to || to == from + 1)
		return word_refuse(why, "needs a /regular expression/");
	snprintf(s->rest, sizeof(s->rest), "%.*s", (int)(to - from - 1), from + 1);
	r = regcomp(&re, s->rest, REG_EXTENDED | REG_NOSUB);
	if (r != 0)
		return word_refuse(why, "has a regular expression that is none");
	regfree(&re);
	*text = to + 1;
	return 0;
}

static int step_number(uint64_t *n, const char **text, char why[OPT_ERROR_MAX])
{
	char word[DRILL_WORD_MAX], *end;

	if (word_next(text, word, sizeof(word)) < 0)
		return word_refuse(why, "needs a number");
	errno = 0;
	*n = strtoull(word, &end, 10);
	return *end || errno || word[0] == '-' ? word_refuse(why, "needs a number") : 0;
}

static int step_state(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	char word[DRILL_WORD_MAX] = "";
	int r = step_host(s, text, why);

	if (r < 0)
		return r;
	word_next(text, word, sizeof(word));
	s->number = (int)diag_state(word);
	if (s->number == 0)
		return word_refuse(why, "needs a state such as ESTAB, CLOSE-WAIT or FIN-WAIT-2");
	return step_number(&s->count, text, why);
}

/* await client /re/ | exit PROC | state HOST STATE N | unread HOST N | backlog HOST N
 * | caught N; all: [within T] */
static int step_await(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	const char *before = *text;
	char word[DRILL_WORD_MAX] = "";
	int r;

	word_next(text, word, sizeof(word));
	s->limit_ns = SEC(5);
	if (strcmp(word, "exit") == 0) {
		s->what = AWAIT_EXIT;
		r = step_program(s, text, why);
	} else if (strcmp(word, "state") == 0) {
		s->what = AWAIT_STATE;
		r = step_state(s, text, why);
	} else if (strcmp(word, "unread") == 0 || strcmp(word, "backlog") == 0) {
		s->what = word[0] == 'u' ? AWAIT_UNREAD : AWAIT_BACKLOG;
		r = step_host(s, text, why);
		r = r < 0 ? r : step_number(&s->count, text, why);
	} else if (strcmp(word, "caught") == 0) {
		s->what = AWAIT_CAUGHT;
		r = step_number(&s->count, text, why);
	} else {
		*text = before;
		s->what = AWAIT_SAID;
		r = step_program(s, text, why);
		r = r < 0 ? r : step_regex(s, text, why);
	}
	if (r < 0 || word_next(text, word, sizeof(word)) < 0)
		return r;
	if (strcmp(word, "within") != 0 || word_next(text, word, sizeof(word)) < 0 ||
	    word_time(word, &s->limit_ns) < 0)
		return word_refuse(why, "goes on with something else than 'within TIME'");
	return 0;
}

static int step_signal(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	char word[DRILL_WORD_MAX] = "";

	word_next(text, word, sizeof(word));
	s->number = proc_signal_number(word);
	if (s->number == 0)
		return word_refuse(why, "needs a signal such as KILL, TERM, STOP or CONT");
	return step_process(s, text, why);
}

static int step_sysctl(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int r = step_host(s, text, why);

	r = r < 0 ? r : step_rest(s, text, why);
	if (r == 0 && !strchr(s->rest, ' '))
		return word_refuse(why, "needs HOST NAME VALUE");
	return r;
}

static int step_host_rest(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int r = step_host(s, text, why);

	return r < 0 ? r : step_rest(s, text, why);
}

/* A fault of the router is known by its counter. */
static int step_nft(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	int r = step_rest(s, text, why);

	if (r == 0 && s->fault && !strstr(s->rest, "counter name fault"))
		return word_refuse(why, "is a fault and must count what it catches: "
					"'counter name fault'");
	return r;
}

static int step_wait(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	char word[DRILL_WORD_MAX] = "";

	word_next(text, word, sizeof(word));
	return word_time(word, &s->limit_ns) < 0 ? word_refuse(why, "needs a time, such as 500ms")
						 : 0;
}

static int step_look(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	return word_next(text, s->label, sizeof(s->label)) < 0 ? word_refuse(why, "needs a label")
							       : 0;
}

static int step_nothing(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	(void)s;
	(void)text;
	(void)why;
	return 0;
}

static const struct {
	const char *name;
	int (*parse)(struct step *s, const char **text, char why[OPT_ERROR_MAX]);
} verbs[] = {
	[VERB_START] = { "start", step_program },
	[VERB_TYPE] = { "type", step_rest },
	[VERB_HANGUP] = { "hangup", step_nothing },
	[VERB_SIGNAL] = { "signal", step_signal },
	[VERB_AWAIT] = { "await", step_await },
	[VERB_LOOK] = { "look", step_look },
	[VERB_NFT] = { "nft", step_nft },
	[VERB_HEAL] = { "heal", step_nothing },
	[VERB_IP] = { "ip", step_host_rest },
	[VERB_TC] = { "tc", step_host_rest },
	[VERB_SYSCTL] = { "sysctl", step_sysctl },
	[VERB_DESTROY] = { "destroy", step_host },
	[VERB_WAIT] = { "wait", step_wait },
	[VERB_DIAL] = { "dial", step_look },
	[VERB_EXHAUST] = { "exhaust", step_program },
	[VERB_SHARE] = { "share", step_nothing },
	[VERB_LEAK] = { "leak", step_child },
};

static_assert(ARRAY_LEN(verbs) == VERB_COUNT, "every verb has a parser");

/* What prove.c can prove. */
static bool can_be_fault(enum verb verb)
{
	return verb == VERB_SIGNAL || verb == VERB_NFT || verb == VERB_IP || verb == VERB_TC ||
	       verb == VERB_SYSCTL || verb == VERB_DESTROY || verb == VERB_EXHAUST;
}

/* at T, after T, LABEL:, fault; *text then is at the verb. */
static int step_head(struct step *s, const char **text, char why[OPT_ERROR_MAX])
{
	const char *before = *text;
	char word[OPT_TEXT_MAX];
	size_t len;

	while (word_next(text, word, sizeof(word)) == 0) {
		len = strlen(word);
		if (strcmp(word, "at") == 0 || strcmp(word, "after") == 0) {
			s->at = word[1] == 't';
			if (word_next(text, word, sizeof(word)) < 0 ||
			    word_time(word, &s->start_ns) < 0)
				return word_refuse(why, "needs a time, such as 500ms");
		} else if (word[len - 1] == ':' && len <= sizeof(s->label)) {
			memcpy(s->label, word, len - 1);
		} else if (strcmp(word, "fault") == 0) {
			s->fault = true;
		} else {
			*text = before;
			return 0;
		}
		before = *text;
	}
	return word_refuse(why, "has no verb");
}

static int step_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct step_list *l = field;
	struct step s = { .verb = VERB_START };
	char word[DRILL_WORD_MAX] = "";
	const char *at = text;
	int r;

	(void)o;
	if (l->count == DRILL_STEPS_MAX)
		return word_refuse(why, "is one step too many");
	r = step_head(&s, &at, why);
	if (r < 0)
		return r;
	snprintf(s.text, sizeof(s.text), "%s", at);
	word_next(&at, word, sizeof(word));
	while (s.verb < VERB_COUNT && strcmp(verbs[s.verb].name, word) != 0)
		s.verb++;
	if (s.verb == VERB_COUNT)
		return word_refuse(why, "must begin with start, type, hangup, signal, await, look, "
					"nft, heal, ip, tc, sysctl, destroy, wait, dial, exhaust, "
					"share or leak");
	r = verbs[s.verb].parse(&s, &at, why);
	if (r < 0)
		return r;
	if (s.fault && !can_be_fault(s.verb))
		return word_refuse(why, "cannot be the fault: nothing shows that it is active");
	if (at[strspn(at, " ")])
		return word_refuse(why, "goes on after its end");
	for (unsigned i = 0; i < l->count; i++)
		if (s.label[0] && strcmp(l->at[i].label, s.label) == 0)
			return word_refuse(why, "has the label of another step");
	l->at[l->count++] = s;
	return 0;
}

static bool step_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	const struct step_list *l = field;
	const struct step *s = nth < l->count ? &l->at[nth] : NULL;

	(void)o;
	if (s)
		snprintf(text, OPT_TEXT_MAX, "%s%.230s", s->fault ? "fault " : "", s->text);
	return s;
}

const struct opt_type step_type = { "STEP", step_parse, step_print };
