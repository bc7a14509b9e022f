/* SPDX-License-Identifier: MIT
 * record: all that a run of a drill has shown. Process 1 of the private machine writes it to shared
 * memory; judged and reported it is outside, when that machine is gone.
 */
#ifndef ECHODRILL_RECORD_H
#define ECHODRILL_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "echodrill/rig/diag.h"
#include "echodrill/rig/ns.h"
#include "echodrill/rig/wire.h"
#include "echodrill/script/drill.h"
#include "timeline.h"

/* The label of the step that starts the client. */
#define RECORD_CLIENT_STARTED "client-started"

enum {
	RECORD_MARKS_MAX = DRILL_STEPS_MAX + 2, /* and the fault, and the client's start */
	RECORD_LOOKS_MAX = DRILL_STEPS_MAX + 2, /* and before the fault, and at the end */
	RECORD_LOAD_MAX = 512 * 1024,
	RECORD_COMMANDS_MAX = 48, /* for people */
	RECORD_DIALS_MAX = DRILL_STEPS_MAX,
	RECORD_HOSTS = 2, /* whose sockets and counters are taken down: client and server */
};

/* When a step was done: it began and it was known to be done. */
struct mark {
	char label[DRILL_LABEL_MAX];
	int64_t begin_ns, end_ns;
};

struct look {
	char label[DRILL_LABEL_MAX];
	struct diag_states of[RECORD_HOSTS];
	int unknown[RECORD_HOSTS]; /* -errno: the kernel did not say */
	int zombies;               /* of the server: processes that nobody has reaped; or -errno */
};

/* A connection attempt of the drill's own: "connected", "timeout" or the errno. */
struct dialed {
	char label[DRILL_LABEL_MAX];
	char result[24];
};

/* How a program ended. */
struct ending {
	bool started, ended;
	int status; /* of wait */
	int64_t t_ns;
};

/* How a step that waits went; also whether a fault was shown to be active. */
struct outcome {
	bool waited, came, faulted, active;
	bool foreign;  /* left out: it was for a program of ours, and another one has its place */
	bool noticing; /* in its place it was awaited that the client notices anything */
	int64_t took_ns;
	int64_t counted;             /* packets before a fault that catches them */
	char shown[128], doubt[128]; /* what showed that it is active, or that it is not */
};

/* What a client of other people did first, of each kind, since the fault. */
enum notice_kind {
	NOTICE_CLOSED,
	NOTICE_SHUT,
	NOTICE_ENDED,
	NOTICE_SAID,
	NOTICE_DIALED,
	NOTICE_KINDS
};
struct notice {
	bool seen;
	int64_t t_ns;
	char text[96];
};

struct record {
	struct ns_why why;
	bool complete;                    /* to the last step and through the clean-up */
	char problem[256];                /* why it could not be run to its end; "": none */
	bool environment;                 /* ... and it is this machine that lacks something */
	int64_t end_ns;                   /* the last step is done; what follows is the clean-up */
	int64_t start_ns, unix_offset_ns; /* clock_unix_ns - clock_now_ns */
	struct timeline timeline;
	unsigned marks, looks, commands, dials;
	struct dialed dialed[RECORD_DIALS_MAX];
	struct mark mark[RECORD_MARKS_MAX];
	struct look look[RECORD_LOOKS_MAX];
	char command[RECORD_COMMANDS_MAX][OPT_TEXT_MAX * 2];
	struct ending ending[3]; /* client, server, server2 */
	struct outcome outcome[DRILL_STEPS_MAX];
	struct diag_counters before[RECORD_HOSTS], after[RECORD_HOSTS];
	int64_t fault_packets; /* or -errno */
	struct notice notice[NOTICE_KINDS];
	unsigned connections; /* that the client had at a time, at most */
	struct wire_counts wire;
	_Atomic int64_t canary_ns;  /* how late a timer was at worst */
	int64_t wait_ns;            /* the longest time that a program waited for a CPU */
	char load[RECORD_LOAD_MAX]; /* the client's JSON; "": none */
};

/* It came to its end, and nothing that it needs went wrong: what was not seen did not happen. */
static inline bool record_sound(const struct record *rec)
{
	return rec->complete && !rec->problem[0];
}

/* NULL: there is no such step. "start": the client was started; "fault": the first fault. */
const struct mark *record_mark(const struct record *r, const char *label);
const struct look *record_look(const struct record *r, const char *label);

/* A timer of the drill itself was late by that much. */
static inline void record_late(struct record *rec, int64_t late_ns)
{
	if (late_ns > atomic_load(&rec->canary_ns))
		atomic_store(&rec->canary_ns, late_ns);
}

void record_command(struct record *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
