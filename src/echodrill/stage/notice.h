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

/* Whether anything was noticed so far. */
bool notice_any(struct run *r);

/* "closed", "shut", "ended", "said", "dialed" */
const char *notice_name(unsigned kind);

/* The first of them by its time, or NULL. */
const struct notice *notice_first(const struct record *rec);

/* What notices count from: the fault, or the client's start where that is later; 0: neither was. */
int64_t notice_base(const struct record *rec);

#endif
