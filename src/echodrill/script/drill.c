/* SPDX-License-Identifier: MIT
 * drill: rows of a drill file, read by the same reader as every other configuration, so that each
 * mistake has its file, line and reason.
 */
#include "drill.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/program.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/stage/timeline.h"
#include "pattern.h"
#include "selector.h"
#include "verb.h"
#include "words.h"

const char *const drill_groups[] = { "classic", "relative", "matrix", "long", "program", NULL };
static const char *const explains[] = { "nothing", "at_once",     "never", "connecting",
					"flight",  "unreachable", NULL };
static const char *const needs[] = { "nothing", "connection", "transfer", NULL };
static const char *const families[] = { "ipv4", "ipv6", NULL };

/* Words of a command line, of which 'some are quoted'. */
static int words_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	unsigned quotes = 0;

	for (const char *c = text; *c; c++)
		quotes += *c == '\'';
	if (quotes % 2 == 0)
		return text_list_parse(o, text, field, why);
	snprintf(why, OPT_ERROR_MAX, "has a quote that is not closed");
	return -EINVAL;
}

/* What begins with a host. */
static int host_text_parse(const struct opt *o, const char *text, void *field,
			   char why[OPT_ERROR_MAX])
{
	char host[DRILL_WORD_MAX] = "";
	const char *at = text;

	word_next(&at, host, sizeof(host));
	if (hosts_number(host) < 0) {
		snprintf(why, OPT_ERROR_MAX, "begins with no host: client, wire, router or server");
		return -EINVAL;
	}
	at += strspn(at, " ");
	if (*at == '\0' || (strcmp(o->key, "sysctl") == 0 && !strchr(at, ' '))) {
		snprintf(why, OPT_ERROR_MAX, "must be %s", o->help);
		return -EINVAL;
	}
	if (strcmp(o->key, "sysctl") == 0 && !hosts_has_sysctl(at)) {
		snprintf(why, OPT_ERROR_MAX, "is of the whole machine: a host has those of net");
		return -EINVAL;
	}
	return text_list_parse(o, text, field, why);
}

/* An expectation may name the labels of this drill's steps, which come before it. */
static int labelled_parse(const struct opt *o, const char *text, void *field,
			  char why[OPT_ERROR_MAX])
{
	struct expect_list *l = field;
	const struct drill *d = (const void *)((const char *)l - offsetof(struct drill, expect));
	const char *missing;
	int r = expect_type.parse(o, text, field, why);

	if (r < 0)
		return r;
	missing = selector_missing(d, l->at[l->count - 1].what);
	if (!missing)
		return 0;
	snprintf(why, OPT_ERROR_MAX, "names '%.40s', a label that no step above has", missing);
	return -EINVAL;
}

static bool labelled_print(const struct opt *o, const void *field, unsigned nth,
			   char text[OPT_TEXT_MAX])
{
	return expect_type.print(o, field, nth, text);
}

/* Adds a line to the step or expectation above it, the last of @count. */
static int missed_add(struct missed_list *l, unsigned count, const char *text,
		      char why[OPT_ERROR_MAX])
{
	if (count == 0)
		return word_refuse(why, "stands below nothing that could be missed");
	if (l->count == DRILL_MISSED_MAX)
		return word_refuse(why, "is one too many");
	l->at[l->count].nth = count - 1;
	snprintf(l->at[l->count++].text, OPT_TEXT_MAX, "%s", text);
	return 0;
}

static int step_missed_parse(const struct opt *o, const char *text, void *field,
			     char why[OPT_ERROR_MAX])
{
	const char *d = (const char *)field - offsetof(struct drill, step_missed);

	(void)o;
	return missed_add(field, ((const struct drill *)(const void *)d)->step.count, text, why);
}

static int expect_missed_parse(const struct opt *o, const char *text, void *field,
			       char why[OPT_ERROR_MAX])
{
	const char *d = (const char *)field - offsetof(struct drill, expect_missed);

	(void)o;
	return missed_add(field, ((const struct drill *)(const void *)d)->expect.count, text, why);
}

static bool missed_print(const struct opt *o, const void *field, unsigned nth,
			 char text[OPT_TEXT_MAX])
{
	const struct missed_list *l = field;

	(void)o;
	if (nth < l->count)
		snprintf(text, OPT_TEXT_MAX, "%s", l->at[nth].text);
	return nth < l->count;
}

char *drill_missed(const struct missed_list *l, unsigned nth, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < l->count && len < size; i++)
		if (l->at[i].nth == nth)
			len += (size_t)snprintf(text + len, size - len, "%s%s", len ? " " : "",
						l->at[i].text);
	return text;
}

static const struct opt_type step_missed_type = { "TEXT", step_missed_parse, missed_print };
static const struct opt_type expect_missed_type = { "TEXT", expect_missed_parse, missed_print };
static const struct opt_type labelled_type = { "EXPECTATION", labelled_parse, labelled_print };
static const struct opt_type words_type = { "WORDS", words_parse, text_list_print };
static const struct opt_type host_text_type = { "TEXT", host_text_parse, text_list_print };

#define DRILL_ROW(key_, field_, type_, fallback_, help_, ...)                                      \
	{                                                                                          \
		.key = (key_), .type = &(type_), .fallback = (fallback_), .help = (help_),         \
		OPT_FIELD(drill, field_), __VA_ARGS__                                              \
	}

static const struct opt drill_rows[] = {
	OPT(drill, story, text_list_type, NULL, "what happens, and why, in a few lines",
	    .repeats = true),
	OPT(drill, sooner, text_list_type, NULL, "what to set to see it sooner", .repeats = true),
	OPT_ENUM(drill, group, "relative", drill_groups,
		 "classic, relative, matrix, long (opt-in), or program: for any client"),
	OPT_ENUM(drill, needs, "nothing", needs,
		 "what not every client has: a connection that it keeps, a long transfer"),
	OPT_BOOL(
		drill, answered, "off",
		"the client may have its answer in spite of the fault: that it ends with 0 is right"),
	OPT_ENUM(drill, explain, "nothing", explains,
		 "what `echodrill explain` computes for a client that sets nothing"),
	OPT_ENUM(drill, family, "ipv4", families, "ipv4 or ipv6"),
	OPT_TIME(drill, delay, "1ms", 0, MSEC(500), "of the wire, each way"),
	OPT_TIME(drill, limit, "30s", SEC(1), SEC(3600), "the whole drill ends after this"),
	OPT_BOOL(drill, words, "off", "what programs print counts, whoever's they are"),
	OPT_BOOL(drill, timeless, "off",
		 "no expectation depends on how fast this machine is: being late excuses none"),
	OPT_END,
};
static const struct opt hosts_rows[] = {
	OPT(drill, sysctl, host_text_type, NULL, "HOST NAME VALUE", .repeats = true),
	OPT(drill, ip, host_text_type, NULL, "HOST TEXT: more of the network, for `ip -batch`",
	    .repeats = true),
	OPT_END,
};
static const struct opt server_rows[] = {
	DRILL_ROW("options", server_options, words_type, NULL, "words of its command line",
		  .repeats = true),
	DRILL_ROW("fork", server_fork, opt_bool, "off",
		  "its processes may be many: --all runs it with the fork backend too"),
	DRILL_ROW("count", servers, opt_uint, "1", "servers, on ports one after another", .min = 1,
		  .max = 2),
	OPT_END,
};
static const struct opt client_rows[] = {
	DRILL_ROW("options", client_options, words_type, NULL, "words of its command line",
		  .repeats = true),
	OPT_END,
};
static const struct opt step_rows[] = {
	OPT(drill, step, step_type, NULL, "[at T|after T] [LABEL:] [fault] VERB ...",
	    .repeats = true),
	DRILL_ROW("missed", step_missed, step_missed_type, NULL,
		  "what it means that the step above failed", .repeats = true),
	OPT_END,
};
static const struct opt expect_rows[] = {
	OPT(drill, expect, labelled_type, NULL, "WHAT OP VALUE", .repeats = true),
	DRILL_ROW("missed", expect_missed, expect_missed_type, NULL,
		  "what it means that the expectation above failed", .repeats = true),
	OPT_END,
};

#define DETECTOR_ROW(name_, which_)                                                                \
	DRILL_ROW(name_, detector[which_], detector_notice_type, NULL,                             \
		  "never, or FROM..TO CAUSE: when a client knows with these means")

static const struct opt detector_rows[] = {
	DETECTOR_ROW("none", DETECTOR_NONE), DETECTOR_ROW("limit", DETECTOR_LIMIT),
	DETECTOR_ROW("user", DETECTOR_USER), DETECTOR_ROW("keepalive", DETECTOR_KEEPALIVE),
	DETECTOR_ROW("icmp", DETECTOR_ICMP), OPT_END,
};
static_assert(ARRAY_LEN(detector_rows) == DETECTOR_COUNT + 1, "every detector has a row");

bool drill_has_detectors(const struct drill *d)
{
	for (unsigned i = 0; i < DETECTOR_COUNT; i++)
		if (d->detector[i].set)
			return true;
	return false;
}

/* What no single row can see. */
static int drill_whole(struct drill *d, struct opt_set *s)
{
	bool fault = false;

	d->family = d->family == 1 ? 6 : 4;
	for (unsigned i = 0; i < d->client_options.count; i++)
		d->client_lines |= strstr(d->client_options.at[i], "--interactive") != NULL;
	if (d->story.count == 0)
		return opt_error_at(s, "story", "a drill needs one");
	for (unsigned i = 0; i < d->step.count; i++) {
		const struct step *p = &d->step.at[i];

		fault |= p->fault;
		if (p->verb == &verb_start && p->proc == WHO_SERVER2 && d->servers < 2)
			return opt_error_at(s, "steps.step", "server2 needs [server] count = 2");
	}
	if (!fault)
		return opt_error_at(s, "steps.step",
				    "no step is a fault: what is the drill about?");
	if (d->expect.count == 0 && !drill_has_detectors(d) && d->group != GROUP_PROGRAM)
		return opt_error_at(s, "expect.expect",
				    "a drill without expectations shows nothing");
	return 0;
}

int drill_read_stream(struct drill *d, FILE *f, const char *path, char error[OPT_ERROR_MAX])
{
	static struct opt_set s;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int r;

	memset(&s, 0, sizeof(s));
	s.program = "echodrill";
	opt_add(&s, "drill", drill_rows, d);
	opt_add(&s, "hosts", hosts_rows, d);
	opt_add(&s, "server", server_rows, d);
	opt_add(&s, "client", client_rows, d);
	opt_add(&s, "steps", step_rows, d);
	opt_add(&s, "expect", expect_rows, d);
	opt_add(&s, "means", detector_rows, d);
	memset(d, 0, sizeof(*d));
	r = opt_read_defaults(&s);
	if (r == 0)
		r = opt_read_file(&s, f, path);
	if (r == 0)
		r = drill_whole(d, &s);
	snprintf(d->name, sizeof(d->name), "%.*s", (int)strcspn(name, "."), name);
	snprintf(error, OPT_ERROR_MAX, "%s", s.error);
	return pattern_outcome(r, path, error);
}

int drill_read(struct drill *d, const char *path, char error[OPT_ERROR_MAX])
{
	FILE *f = fopen(path, "re");
	int r;

	if (!f) {
		r = -errno;
		snprintf(error, OPT_ERROR_MAX, "%.300s: %s", path, strerror(-r));
		return r;
	}
	r = drill_read_stream(d, f, path, error);
	fclose(f);
	return r;
}

bool drill_is_path(const char *name)
{
	size_t len = strlen(name);

	return strchr(name, '/') || (len > 5 && strcmp(name + len - 5, ".conf") == 0);
}

void drill_path(const char *dir, const char *name, char path[OPT_TEXT_MAX])
{
	if (drill_is_path(name))
		snprintf(path, OPT_TEXT_MAX, "%s", name);
	else
		snprintf(path, OPT_TEXT_MAX, "%.180s/%.60s.conf", dir, name);
}

int drill_directory(char path[OPT_TEXT_MAX])
{
	return program_configs("drills", path);
}
