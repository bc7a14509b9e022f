/* SPDX-License-Identifier: MIT
 * again: packets between two processes of this machine, of which one waits for the other: a failure
 * that is over soon must not cost what a lost packet costs.
 */
#ifndef ECHOD_AGAIN_H
#define ECHOD_AGAIN_H

#include <stdbool.h>

/* Whether a call on a unix socket that has just failed, with errno, is to be made again: it was
 * interrupted, or the kernel has no memory for a packet just now. Waits 10 ms for memory, 100 times
 * at most; *tries, which begins with 0, counts them. */
bool again_soon(unsigned *tries);

#endif
