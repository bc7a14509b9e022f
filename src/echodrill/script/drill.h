/* SPDX-License-Identifier: MIT
 * drill: a drill file: a named failure as data. What runs, what is done when, and what must be
 * seen.
 *
 *     [drill]   story, sooner, group, needs, explain, answered, family, delay, limit, words,
 *               timeless
 *     [hosts]   sysctl = HOST NAME VALUE, ip = HOST TEXT (repeat)
 *     [server]  [client]  options = words of the command line
 *     [steps]   step = [at T|after T] [LABEL:] [fault] VERB ... (repeats; step.c)
 *     [expect]  expect = WHAT OP VALUE (repeats; expect.c)
 *     missed = TEXT, below a step or an expectation: what it means that it failed (repeats)
 *     [means]   NAME = WHEN (detector.h)
 */
#ifndef ECHODRILL_DRILL_H
#define ECHODRILL_DRILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "detector.h"
#include "echo/base/opt.h"
#include "text_list.h"

struct verb;

enum {
	DRILL_STEPS_MAX = 64,
	DRILL_EXPECTS_MAX = 64,
	DRILL_LINES_MAX = 8,
	DRILL_NAME_MAX = 64,
	DRILL_LABEL_MAX = 24,
	DRILL_WORD_MAX = 16,
	DRILL_MISSED_MAX = 24,
};

enum await_what {
	AWAIT_SAID,
	AWAIT_NOTICED,
	AWAIT_EXIT,
	AWAIT_STATE,
	AWAIT_UNREAD,
	AWAIT_BACKLOG,
	AWAIT_ACKED,
	AWAIT_CAUGHT
};

enum step_asked { ASKED_NOTHING, ASKED_END, ASKED_RELOAD };

struct step {
	const struct verb *verb;
	bool fault;                  /* what the drill is about: it must be shown to be active */
	bool at;                     /* start_ns counts from the start, else from the step before */
	int64_t start_ns;            /* not before */
	char label[DRILL_LABEL_MAX]; /* "": none */
	char text[OPT_TEXT_MAX];     /* what follows the verb */
	/* as far as the verb has them */
	char who[DRILL_WORD_MAX]; /* PROC or HOST */
	unsigned host;            /* enum host */
	unsigned proc;            /* enum who, or one of those below */
	int number;               /* signal; state */
	unsigned asked;           /* signal: the one that the program's service sends */
	enum await_what what;
	uint64_t count;
	int64_t limit_ns;        /* await: at most so long */
	char rest[OPT_TEXT_MAX]; /* regular expression, command, NAME VALUE */
};

/* The server's youngest child, all of them, the process of the verb share, and the server's process
 * that listens, without those that it has started. */
enum { STEP_CHILD = 100, STEP_CHILDREN, STEP_LISTENER, STEP_PARENT };

struct step_list {
	unsigned count;
	struct step at[DRILL_STEPS_MAX];
};

enum expect_op { EXPECT_EQ, EXPECT_NE, EXPECT_LT, EXPECT_LE, EXPECT_GT, EXPECT_GE, EXPECT_IN };

/* What is compared with what. A time is nanoseconds. */
struct expect {
	char text[OPT_TEXT_MAX];
	char what[OPT_TEXT_MAX];
	enum expect_op op;
	bool is_text, is_time;
	int64_t low, high; /* the value; EXPECT_IN: both ends */
	char word[64];     /* is_text */
};

struct expect_list {
	unsigned count;
	struct expect at[DRILL_EXPECTS_MAX];
};

/* What it means for a program that a step or an expectation was not met, for whoever wrote it. */
struct missed_list {
	unsigned count;
	struct missed {
		unsigned nth; /* the step or expectation, from 0 */
		char text[OPT_TEXT_MAX];
	} at[DRILL_MISSED_MAX];
};

struct drill {
	int64_t delay, limit;
	unsigned group;    /* enum drill_group */
	unsigned needs;    /* enum drill_needs */
	bool answered;     /* the client may have its answer in spite of the fault */
	unsigned explain;  /* enum drill_explain */
	unsigned family;   /* 4 or 6, after drill_read */
	unsigned servers;  /* 1 or 2 */
	bool server_fork;  /* a server of many processes will do */
	bool words;        /* what programs print counts, whoever's they are */
	bool timeless;     /* no expectation depends on time: none is excused by a late machine */
	char again[160];   /* the command that makes it; "": it is a file */
	bool client_lines; /* the client is the interactive one: it gets lines, and writes no JSON
			    */
	char name[DRILL_NAME_MAX];
	struct text_list story, sooner, sysctl, ip;
	struct text_list server_options, client_options;
	struct step_list step;
	struct expect_list expect;
	struct missed_list step_missed, expect_missed;
	struct detector_notice detector[DETECTOR_COUNT];
};

/* The last one has no expectations: its drills measure what any client notices, and when. */
enum drill_group { GROUP_CLASSIC, GROUP_RELATIVE, GROUP_MATRIX, GROUP_LONG, GROUP_PROGRAM };
enum drill_explain {
	EXPLAIN_NOTHING,
	EXPLAIN_AT_ONCE,
	EXPLAIN_NEVER,
	EXPLAIN_CONNECTING,
	EXPLAIN_FLIGHT,
	EXPLAIN_UNREACHABLE
};
enum drill_needs { NEEDS_NOTHING, NEEDS_CONNECTION, NEEDS_TRANSFER };
extern const char *const drill_groups[];

extern const struct opt_type step_type, expect_type;

/* Reads a drill file into *d. Returns 0, or -errno with the place and the reason in @error. */
int drill_read(struct drill *d, const char *path, char error[OPT_ERROR_MAX]);

/* The same of what is no file; @path stands in errors. */
int drill_read_stream(struct drill *d, FILE *f, const char *path, char error[OPT_ERROR_MAX]);

/* Writes what it means that the @nth of them failed to @text, "" if the file does not say. Returns
 * @text. */
char *drill_missed(const struct missed_list *l, unsigned nth, char *text, size_t size);

/* Is it to be run with one detector after the other? */
bool drill_has_detectors(const struct drill *d);

/* Does @name name a file? It does if it has a '/' or ends in .conf. */
bool drill_is_path(const char *name);

/* Finds the file of the drill @name: a path if it is one, else NAME.conf in @dir. */
void drill_path(const char *dir, const char *name, char path[OPT_TEXT_MAX]);

/* Directory of the drills that came with the program: the source tree's or the installed one.
 * Returns 0 or -ENOENT. */
int drill_directory(char path[OPT_TEXT_MAX]);

#endif
