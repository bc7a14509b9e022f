/* SPDX-License-Identifier: MIT
 * program: somebody else's program in a drill: a file that says how it is started, how one knows
 * that it is ready, how it is made to send a request, and what it needs (docs/drills.md).
 *
 *     [program] kind, about, package, needs, root, version, server, file, uncured
 *     [server]  start, ready, end, reload
 *     [client]  start, ready, request, transfer, chatter
 *     [cure]    what, and keys of [client] that take the place of those above
 */
#ifndef ECHODRILL_PROGRAM_H
#define ECHODRILL_PROGRAM_H

#include <stdbool.h>

#include "drill.h"

/* Where a program's files are in its private machine: {dir} in its commands. */
#define PROGRAM_FOLDER "/run/program"

enum program_kind { PROGRAM_SERVER, PROGRAM_CLIENT, PROGRAM_PROXY };

struct program_server {
	char start[OPT_TEXT_MAX];
	char ready[OPT_TEXT_MAX]; /* a regular expression of a line; "": its port listens */
	unsigned end, reload;     /* signals: its service is stopped, its configuration is read */
};

struct program_client {
	char what[OPT_TEXT_MAX]; /* [cure]: for people */
	char start[OPT_TEXT_MAX];
	char ready[OPT_TEXT_MAX];    /* a regular expression of a line; "": it has a connection */
	char request[OPT_TEXT_MAX];  /* a line for its input; "": it asks as soon as it is started,
				      * and keeps no connection */
	char transfer[OPT_TEXT_MAX]; /* start in its place for a long transfer; "": it has none */
	char chatter[OPT_TEXT_MAX];  /* lines that do not mean that it noticed anything */
};

struct program {
	char name[DRILL_NAME_MAX];    /* of its file, and ":cure" with that section's settings */
	char folder[OPT_TEXT_MAX];    /* of its file: files/ lies beside it */
	char partner[DRILL_NAME_MAX]; /* a client's: the program file of its server */
	char version[OPT_TEXT_MAX];   /* a command whose first line says it */
	unsigned kind;                /* enum program_kind */
	bool root;                    /* it needs users of its own */
	struct text_list about, package, needs, file;
	struct text_list uncured; /* "FAULT...: why", for people */
	struct program_server server;
	struct program_client client, cure;
};

/* Reads a program file. Returns 0, or -errno with the place and the reason in @error. */
int program_read(struct program *p, const char *path, char error[OPT_ERROR_MAX]);

/* A command of a shell that has no file: it gets @request as a line, "": it asks by itself. */
void program_from_command(struct program *p, enum program_kind kind, const char *command,
			  const char *request);

/* Lets the settings of [cure] take the place of the others. Returns 0, or -ENOENT: it has none. */
int program_cure(struct program *p);

/* Why nothing of its configuration makes it notice the fault of the drill "program-FAULT"; NULL: it
 * does not say that. */
const char *program_uncured(const struct program *p, const char *drill);

/* Whether it can be run here. Returns 0, or -ENOENT or -EPERM with @why: what to install. */
int program_check(const struct program *p, char why[OPT_TEXT_MAX]);

/* Directory of the program files that came with echodrill. Returns 0 or -ENOENT. */
int program_directory(char path[OPT_TEXT_MAX]);

#endif
