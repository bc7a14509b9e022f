/* SPDX-License-Identifier: MIT
 * said: whether a line of a client that is not ours shows that it has noticed something.
 */
#ifndef ECHODRILL_SAID_H
#define ECHODRILL_SAID_H

#include <stdbool.h>
#include <stdint.h>

struct run;

/* Of the timeline's event @nth, which came after @base_ns. It does not if it is no line of the
 * client's, if the program file calls it chatter, or if a line like it, numbers aside, came when
 * all was well: before @base_ns. Where the drill says that the client may be answered in spite of
 * the fault, a line is like one before because it is an answer: then it counts. */
bool said_means(const struct run *r, unsigned nth, int64_t base_ns);

#endif
