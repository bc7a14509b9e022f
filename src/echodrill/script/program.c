/* SPDX-License-Identifier: MIT
 * program: rows of a program file, read as drills are.
 */
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/base/program.h"
#include "echodrill/stage/proc.h"
#include "pattern.h"

static const char *const kinds[] = { "server", "client", "proxy", NULL };

static int name_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	if (strchr(text, '/') || text[0] == '.') {
		snprintf(why, OPT_ERROR_MAX, "is no %s", o->type->metavar);
		return -EINVAL;
	}
	return text_list_parse(o, text, field, why);
}

/* "FAULT...: why" */
static int uncured_parse(const struct opt *o, const char *text, void *field,
			 char why[OPT_ERROR_MAX])
{
	const size_t faults = strcspn(text, ":");

	if (faults == 0 || strncmp(text + faults, ": ", 2) != 0) {
		snprintf(why, OPT_ERROR_MAX, "must be FAULT...: why");
		return -EINVAL;
	}
	return text_list_parse(o, text, field, why);
}

static int signal_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	const int number = proc_signal_number(text);

	(void)o;
	if (number == 0) {
		snprintf(why, OPT_ERROR_MAX, "is no signal, such as TERM or HUP");
		return -EINVAL;
	}
	*(unsigned *)field = (unsigned)number;
	return 0;
}

static bool signal_print(const struct opt *o, const void *field, unsigned nth,
			 char text[OPT_TEXT_MAX])
{
	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%s", sigabbrev_np((int)*(const unsigned *)field));
	return nth == 0;
}

static int regex_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	if (pattern_check(text) < 0) {
		snprintf(why, OPT_ERROR_MAX, "is no regular expression");
		return -EINVAL;
	}
	return opt_string.parse(o, text, field, why);
}

static bool regex_print(const struct opt *o, const void *field, unsigned nth,
			char text[OPT_TEXT_MAX])
{
	return opt_string.print(o, field, nth, text);
}

static const struct opt_type name_type = { "NAME", name_parse, text_list_print };
static const struct opt_type uncured_type = { "TEXT", uncured_parse, text_list_print };
static const struct opt_type signal_type = { "SIGNAL", signal_parse, signal_print };
static const struct opt_type regex_type = { "RE", regex_parse, regex_print };

#define PROGRAM_KEY(key_, field_, type_, fallback_, help_, ...)                                    \
	{                                                                                          \
		.key = (key_), .type = &(type_), .fallback = (fallback_), .help = (help_),         \
		OPT_FIELD(program, field_), __VA_ARGS__                                            \
	}

static const struct opt program_rows[] = {
	OPT_ENUM(program, kind, "client", kinds,
		 "server, client, or proxy: a client with a proxy before it"),
	OPT(program, about, text_list_type, NULL, "what it is, in a line", .repeats = true),
	OPT(program, package, name_type, NULL, "the Debian package", .repeats = true),
	OPT(program, needs, text_list_type, NULL, "an executable, by name or path",
	    .repeats = true),
	OPT_BOOL(program, root, "off", "it needs users of its own, so it runs only as root"),
	OPT_STRING(program, version, NULL, "a command whose first line says its version"),
	PROGRAM_KEY("server", partner, opt_string, NULL, "the program file of its server"),
	OPT(program, file, name_type, NULL, "of the folder files, copied to {dir}",
	    .repeats = true),
	OPT(program, uncured, uncured_type, NULL, "FAULT...: why no setting of it cures these",
	    .repeats = true),
	OPT_END,
};
static const struct opt server_rows[] = {
	PROGRAM_KEY("start", server.start, opt_string, NULL, "its command line"),
	PROGRAM_KEY("ready", server.ready, regex_type, NULL,
		    "a line that it prints; without it its port listens"),
	PROGRAM_KEY("end", server.end, signal_type, "TERM", "the signal that ends it"),
	PROGRAM_KEY("reload", server.reload, signal_type, "HUP", "the signal to read its files"),
	OPT_END,
};

/* Of both sections: [cure] has what takes the place of a key of [client]. */
static const struct opt client_rows[] = {
	OPT_STRING(program_client, what, NULL, "[cure]: what is set, for people"),
	OPT_STRING(program_client, start, NULL, "its command line"),
	OPT(program_client, ready, regex_type, NULL,
	    "a line that it prints; without it it has a connection"),
	OPT_STRING(program_client, request, NULL, "a line for its input: it keeps its connection"),
	OPT_STRING(program_client, transfer, NULL, "its command line for a long transfer"),
	OPT(program_client, chatter, regex_type, NULL,
	    "lines that do not mean that it noticed anything"),
	OPT_END,
};

/* What no single row can see. */
static int program_whole(const struct program *p, struct opt_set *s)
{
	if (p->kind == PROGRAM_SERVER)
		return p->server.start[0] ? 0
					  : opt_error_at(s, "server.start", "a server needs one");
	if (!p->client.start[0])
		return opt_error_at(s, "client.start", "a client needs one");
	if (!p->partner[0])
		return opt_error_at(s, "program.server", "a client needs one");
	if (p->client.what[0])
		return opt_error_at(s, "client.what", "is for the section [cure]");
	if (p->cure.start[0] && !p->cure.what[0])
		return opt_error_at(s, "cure.what", "must say what cures it");
	return 0;
}

int program_read(struct program *p, const char *path, char error[OPT_ERROR_MAX])
{
	static struct opt_set s;
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	FILE *f = fopen(path, "re");
	int r;

	if (!f) {
		r = -errno;
		snprintf(error, OPT_ERROR_MAX, "%.300s: %s", path, strerror(-r));
		return r;
	}
	memset(&s, 0, sizeof(s));
	s.program = "echodrill";
	opt_add(&s, "program", program_rows, p);
	opt_add(&s, "server", server_rows, p);
	opt_add(&s, "client", client_rows, &p->client);
	opt_add(&s, "cure", client_rows, &p->cure);
	memset(p, 0, sizeof(*p));
	r = opt_read_defaults(&s);
	if (r == 0)
		r = opt_read_file(&s, f, path);
	if (r == 0)
		r = program_whole(p, &s);
	fclose(f);
	snprintf(p->name, sizeof(p->name), "%.*s", (int)strcspn(name, "."), name);
	snprintf(p->folder, sizeof(p->folder), "%.*s", slash ? (int)(slash - path) : 1,
		 slash ? path : ".");
	snprintf(error, OPT_ERROR_MAX, "%s", s.error);
	return pattern_outcome(r, path, error);
}

void program_from_command(struct program *p, enum program_kind kind, const char *command,
			  const char *request)
{
	memset(p, 0, sizeof(*p));
	p->kind = kind;
	snprintf(p->name, sizeof(p->name), "%s", kinds[kind]);
	p->server.end = SIGTERM;
	p->server.reload = SIGHUP;
	snprintf(kind == PROGRAM_SERVER ? p->server.start : p->client.start, OPT_TEXT_MAX, "%s",
		 command);
	snprintf(p->client.request, OPT_TEXT_MAX, "%s", request);
}

int program_cure(struct program *p)
{
	const struct program_client *cure = &p->cure;
	struct program_client *c = &p->client;
	const struct {
		char *to;
		const char *from;
	} texts[] = { { c->what, cure->what },       { c->start, cure->start },
		      { c->ready, cure->ready },     { c->request, cure->request },
		      { c->chatter, cure->chatter }, { c->transfer, cure->transfer } };
	size_t len = strlen(p->name);

	if (!cure->what[0])
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i].from[0])
			snprintf(texts[i].to, OPT_TEXT_MAX, "%s", texts[i].from);
	snprintf(p->name + len, sizeof(p->name) - len, ":cure");
	return 0;
}

const char *program_uncured(const struct program *p, const char *drill)
{
	static const char group[] = "program-";
	const char *fault =
		strncmp(drill, group, strlen(group)) == 0 ? drill + strlen(group) : drill;

	for (unsigned i = 0; i < p->uncured.count; i++) {
		const char *at = p->uncured.at[i], *why = strchr(at, ':') + 2;

		while (at < why) {
			const size_t len = strcspn(at, " :");

			if (len == strlen(fault) && strncmp(at, fault, len) == 0)
				return why;
			at += len + 1;
		}
	}
	return NULL;
}

int program_check(const struct program *p, char why[OPT_TEXT_MAX])
{
	size_t len;

	for (unsigned i = 0; i < p->needs.count; i++) {
		if (program_is_there(p->needs.at[i]))
			continue;
		len = (size_t)snprintf(why, OPT_TEXT_MAX, "%.60s is not here: install",
				       p->needs.at[i]);
		for (unsigned k = 0; k < p->package.count && len < OPT_TEXT_MAX; k++)
			len += (size_t)snprintf(why + len, OPT_TEXT_MAX - len, " %.60s",
						p->package.at[k]);
		return -ENOENT;
	}
	if (p->root && geteuid() != 0) {
		snprintf(why, OPT_TEXT_MAX, "%.60s has users of its own: it runs only as root",
			 p->name);
		return -EPERM;
	}
	return 0;
}

int program_directory(char path[OPT_TEXT_MAX])
{
	return program_configs("programs", path);
}
