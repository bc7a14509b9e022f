/* SPDX-License-Identifier: MIT
 * targets: what became of each of many targets: a dead one of ten does not hide in the sum.
 */
#ifndef ECHOLOAD_TARGETS_H
#define ECHOLOAD_TARGETS_H

#include <stddef.h>
#include <stdint.h>

struct result;

enum target_state {
	TARGET_OK,
	TARGET_SLOW,   /* its median, or its 99th percentile, is more than twice that of the target
			  in the middle */
	TARGET_DIED,   /* it echoed, then connections ended in errors, and no echo came in the last
			  --stall of the sending */
	TARGET_SILENT, /* not one echo of what was sent, or no connection */
	TARGET_STATES,
};

/* "ok", "slow", "died", "silent". */
const char *targets_state_name(enum target_state s);

/* What became of target @t. */
enum target_state targets_state(const struct result *r, unsigned t);

/* How many are so, and the name of the first of them in *@first (NULL: it is not asked for). */
unsigned targets_count(const struct result *r, enum target_state s, const char **first);

/* ", 2 of 10 targets gave no echo: a:7 and 1 more, 1 died: b:7, 1 was slow: c:7" into @text, cut to
 * @size; "" when there is only one target, or all were ok. */
void targets_say(const struct result *r, char *text, size_t size);

#endif
