/* SPDX-License-Identifier: MIT
 * notice: what a client that is not ours shows of having noticed a failure. Nobody can ask it. But
 * a program that has noticed closes or shuts its socket, ends, says something, or connects anew;
 * the first of each is kept with its time.
 */
#ifndef ECHODRILL_NOTICE_H
#define ECHODRILL_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

struct record;
struct run;

/* How our client says that it has noticed. */
#define NOTICE_WORDS "server is gone|write: E|connect: E|\\(timeout"

/* Whether a drill that asks for these words of our client (a regular expression) means that it has
 * noticed. */
bool notice_is_meant(const char *pattern);

/* Looks at the client's sockets: part of every turn of the loop. What happens before the fault
 * counts for nothing. */
void notice_look(struct run *r);

/* Looks now: what is found is older than what comes next, which is measured. */
void notice_settle(struct run *r);

/* Whether the client has ended before there was anything to notice. */
bool notice_is_too_late(const struct run *r);

/* Whether anything was noticed so far. */
bool notice_any(struct run *r);

/* "closed", "shut", "ended", "said", "dialed" */
const char *notice_name(unsigned kind);

/* The first of them by its time, or NULL. */
const struct notice *notice_first(const struct record *rec);

/* What notices count from: the step `from`, or the fault; of a client that is started into the
 * fault its first SYN, since what it does before that it does whether there is a fault or not, or
 * its start if it never sends one; 0: there was no fault. */
int64_t notice_base(const struct record *rec);

#endif
