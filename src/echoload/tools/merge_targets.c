/* SPDX-License-Identifier: MIT
 * merge_targets: what the targets of several results had, target by target.
 */
#include <errno.h>
#include <string.h>

#include "echo/base/hist.h"
#include "echoload/engine/load.h"
#include "merge_private.h"

/* The sum of both, in place of @sum; NULL: it is not known of all (@from is NULL), or there is no
 * memory. Of a first one it is a copy. */
static struct hist *target_latency(struct hist *sum, const struct hist *from)
{
	if (!from) {
		hist_free(sum);
		return NULL;
	}
	if (!sum)
		sum = hist_new(TARGET_DIGITS);
	if (sum)
		hist_merge(sum, from);
	return sum;
}

int merge_targets_add(struct result *to, const struct result *from)
{
	for (unsigned i = 0; i < from->target_count; i++) {
		const struct target_result *t = &from->targets[i];
		unsigned n = 0;

		/* mostly all have the same ones in the same order */
		if (i < to->target_count && strcmp(to->targets[i].address, t->address) == 0)
			n = i;
		while (n < to->target_count && strcmp(to->targets[n].address, t->address) != 0)
			n++;
		if (n == TARGETS_MAX)
			return -E2BIG;
		if (n == to->target_count) {
			to->targets[n] = *t;
			to->targets[n].latency = target_latency(NULL, t->latency);
			to->target_count++;
			continue;
		}
		to->targets[n].requested += t->requested;
		to->targets[n].latency = target_latency(to->targets[n].latency, t->latency);
		books_merge(&to->targets[n].books, &t->books);
	}
	return 0;
}
