/* SPDX-License-Identifier: MIT
 * observe: names for everything that a drill may expect something of.
 *
 *     client.exit  client.signal  client.ended        server..., server2... the same
 *     client.said./re/  client.when./re/              lines that it printed: how many; the first
 *     load.messages.lost                              any whole number of the client's JSON
 *     outcome.CAUSE.PHASE.ERRNO.count|lost|first|last with * for any
 *     outage.N.begin|noticed|first_success|recovered, outage.count
 *     state.LOOK.client.CLOSE-WAIT                    sockets in that state when LOOK was taken
 *     unread.LOOK.server  unsent.LOOK.client  backlog.LOOK.server
 *     zombies.LOOK.server                             its processes that nobody has reaped, then
 *     wire.client.c2s.rst  wire.server./filter/       frames on that side of the router
 *     wire.client.s2c.fin.when                        time of the first of them
 *     counter.client.TcpExtTCPTimeouts                how much the kernel's counter has grown
 *     dial.LABEL                                      "connected", "timeout", "ECONNREFUSED"
 *     fault.packets
 *     mismatch.wire                                   outcomes that the capture does not bear out
 *
 * Times count from the first fault, frames too; NAME@LABEL from the step of that label; @start:
 * from the client's start; @heard: since the connections have last heard data of the server. What
 * happens after the last step, in the clean-up, is not counted.
 */
#ifndef ECHODRILL_OBSERVE_H
#define ECHODRILL_OBSERVE_H

#include <stdbool.h>

#include "echo/base/opt.h"

struct drill;
struct run;
struct seen;

/* Looks it up in what was recorded. Returns 0; 1 when it cannot be known with the programs that
 * ran (other people's): the expectation is to be skipped; *s says why. */
int observe(const struct run *r, const char *what, struct seen *s);

/* The signal that has ended a program (enum who); 0: none. A shell in between says it in its exit
 * code. */
int observe_signal(const struct run *r, int who);

/* Once for each run, before and after all observe of it. */
void observe_open(const struct run *r);
void observe_close(void);

#endif
