/* SPDX-License-Identifier: MIT
 * verdict: which exit code a result deserves, and the sentence that says why.
 */
#ifndef ECHOLOAD_VERDICT_H
#define ECHOLOAD_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct result;

/* Sets r->exit_code and r->exit_reason. When several codes would fit, the first of 70, 2, 4,
 * 129/130/143, 3, 1 (errors), 5 (late, nothing measured, or connections that were never open), 1
 * (limits), 5 (the rate, the messages, the time or the churn that was asked for did not happen), 0
 * is used. */
void verdict(struct result *r);

/* Of the exit codes of two runs the one that stands for both: the one that comes first in that
 * list. */
int verdict_of_two(int a, int b);

/* Whether a run can end with it. */
bool verdict_known(int64_t code);

#endif
