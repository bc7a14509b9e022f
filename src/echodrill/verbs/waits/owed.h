/* SPDX-License-Identifier: MIT
 * owed: what the connections of a client had been sent at one moment, and which of them have not
 * got all of it back since: of a server that echoes.
 */
#ifndef ECHODRILL_OWED_H
#define ECHODRILL_OWED_H

struct run;

/* Takes down what has been written on each connection of the client's host by now; before that
 * nothing is owed. One drill at a time in a process. Returns 0 or -errno. */
int owed_note(struct run *r);

/* Returns how many of those connections live and have not received as much, or -errno. */
int owed_count(struct run *r);

#endif
