/* SPDX-License-Identifier: MIT
 * knew: when a client knew of the fault, and how.
 */
#ifndef ECHODRILL_KNEW_H
#define ECHODRILL_KNEW_H

#include "echodrill/script/expect.h"

struct judgement;
struct run;

/* What the client noticed first: that it said so, or an error of its result; of other people's,
 * what they did. Fills in j->knew_ns and j->knew; knew_ns stays as it was where it never did. */
struct seen knew_first(const struct run *r, struct judgement *j);

#endif
