/* SPDX-License-Identifier: MIT
 * merge_targets: what the targets of several results had, target by target.
 */
#include <errno.h>
#include <string.h>

#include "echo/base/hist.h"
#include "echoload/engine/load.h"
#include "merge_private.h"

/* What is known of a target's first result. Returns 0 or -ENOMEM. */
static int first_latency(struct target_result *to, const struct hist *from)
{
	to->latency = from ? hist_new(TARGET_DIGITS) : NULL;
	if (to->latency)
		hist_merge(to->latency, from);
	return from && !to->latency ? -ENOMEM : 0;
}

/* Adds what another knows, as long as all do. */
static void more_latency(struct target_result *to, const struct hist *from)
{
	if (to->latency && from) {
		hist_merge(to->latency, from);
		return;
	}
	hist_free(to->latency);
	to->latency = NULL;
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
			to->target_count++;
			if (first_latency(&to->targets[n], t->latency) < 0)
				return -ENOMEM;
			continue;
		}
		to->targets[n].requested += t->requested;
		more_latency(&to->targets[n], t->latency);
		books_merge(&to->targets[n].books, &t->books);
	}
	return 0;
}
