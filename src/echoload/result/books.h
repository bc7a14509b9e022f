/* SPDX-License-Identifier: MIT
 * books: every connection attempted and every message sent is accounted for exactly once.
 *
 * Each worker keeps books of its own; they are added up when all have ended. books_check states the
 * identities that must hold in every run, interrupted ones too (docs/results.md lists them).
 */
#ifndef ECHOLOAD_BOOKS_H
#define ECHOLOAD_BOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "echo/base/cause.h"

enum {
	BOOKS_OUTCOMES_MAX = 96,
	TARGETS_MAX = 1024, /* each has books of its own */
};

/* How far a message that was lost is known to have come; what a retry policy must know. Only the
 * first is safe to repeat. A missing acknowledgement proves nothing: the server's FIN or RST may be
 * all that came back after it had read the message. */
enum lost {
	LOST_UNSENT,  /* our socket accepted no byte of it */
	LOST_PARTIAL, /* accepted in part */
	LOST_UNACKED, /* accepted whole; no acknowledgement was seen */
	LOST_ACKED,   /* accepted whole, and acknowledged by the peer's kernel */
	LOST_COUNT
};

/* One way that connections ended: cause x phase x errno. Times are ns since the start of the run.
 */
struct outcome {
	enum cause cause;
	enum phase at;
	int err; /* errno, or 0 where no call failed */
	uint64_t count;
	uint64_t messages_lost;
	int64_t first_ns, last_ns;
};

struct message_counts {
	uint64_t sent; /* the first byte was handed to the backend */
	uint64_t echoed, corrupt, lost;
	uint64_t unfinished; /* still owed when the run ended */
};

/* The first corruption of a run; when `found`. */
struct corruption {
	bool found;
	uint64_t connection; /* number, from 0, in order of attempts */
	uint64_t offset;     /* in the connection's stream */
	uint8_t expected, seen;
	bool surplus; /* bytes that nobody was owed: nothing was expected */
};

struct books {
	/* connections */
	uint64_t attempts, established, failed, connecting_at_end, open_at_end;
	uint64_t reached; /* of those that were requested, or held idle: open at least once */
	uint64_t peak;    /* most open at one time, of all: the highest that any worker saw */
	/* messages of the whole run, and of the measured part */
	struct message_counts all;
	int64_t last_echo_ns; /* when the last one came, as outcomes have it; 0: none did. Beside
				 the count that it comes with */
	struct message_counts measured;
	uint64_t planned, missed; /* closed loop: planned = sent, missed = 0 */
	uint64_t lost[LOST_COUNT];
	uint64_t echoed_in_outage; /* measured ones */
	/* bytes */
	uint64_t bytes_sent, bytes_received;
	uint64_t bytes_echoed;  /* of messages that were echoed whole and right */
	uint64_t bytes_partial; /* of messages that were not */
	uint64_t bytes_surplus; /* that nobody was owed */
	struct outcome outcomes[BOOKS_OUTCOMES_MAX];
	unsigned outcome_count;
	struct corruption corruption;
};

/* Where a number of the books stands in a result. */
enum books_group { BOOKS_CONNECTIONS, BOOKS_MESSAGES, BOOKS_MEASURED, BOOKS_BYTES };

/* A number of the books: the one place that has to know of it. Books are added up, written and read
 * back by these rows; what a row says in JSON is described by docs/echoload-1.schema.json. */
struct books_field {
	enum books_group group;
	const char *key;  /* in the group's object of the JSON */
	size_t offset;    /* of a uint64_t in struct books */
	bool is_peak;     /* of several books the largest counts, not the sum */
	bool is_optional; /* results of older versions do not have it */
};

enum { BOOKS_FIELDS = 29 };
extern const struct books_field books_fields[BOOKS_FIELDS];

/* The number of @b that @f is about. */
static inline uint64_t *books_number(struct books *b, const struct books_field *f)
{
	return (uint64_t *)(void *)((char *)b + f->offset);
}
static inline uint64_t books_number_of(const struct books *b, const struct books_field *f)
{
	return *(const uint64_t *)(const void *)((const char *)b + f->offset);
}

/* Counts connections that ended (@o->count of them, 1 or more) in the row of their kind. A kind
 * that would be a row too many joins `other` of its phase. */
void books_outcome(struct books *b, const struct outcome *o);

/* Adds all of @from to @to. Of two corruptions the first stays. */
void books_merge(struct books *to, const struct books *from);

/* Puts the outcomes in the order of reports: most connections first, `finished` last. */
void books_sort(struct books *b);

/* NULL if every identity holds, else static text that names the one that does not. */
const char *books_check(const struct books *b);

/* Connections and attempts that ended by an error: all outcomes but `finished`. */
uint64_t books_errors(const struct books *b);

#endif
