/* SPDX-License-Identifier: MIT
 * merge_generator: what a result says of the generator itself, back to the struct.
 */
#include <string.h>

#include "merge_private.h"

static void read_pauses(struct merge_part *p, const json_t *rows)
{
	struct pauses *to = &p->result.pauses;
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (i == PAUSES_MAX)
			return;
		to->list[i] = (struct pause){ merge_value_number(p, row, "begin_ns"),
					      merge_value_number(p, row, "end_ns") };
		if (to->list[i].end_ns < to->list[i].begin_ns)
			merge_value_fail(p, "a pause ends before it begins");
		to->count++;
	}
}

/* Results of older versions have none of it. */
static void read_starvation(struct merge_part *p, const json_t *g)
{
	const int64_t throttled = merge_value_number_or_none(p, g, "throttled");
	const int64_t throttled_ns = merge_value_number_or_none(p, g, "throttled_ns");
	const int64_t paused_ns = merge_value_number_or_none(p, g, "paused_ns");
	const int64_t busy_poll_ns = merge_value_number_or_none(p, g, "busy_poll_ns");
	const char *reason = merge_value_text(p, g, "bottleneck_reason");
	struct result *r = &p->result;

	r->wait_ns = merge_value_number_or_none(p, g, "wait_ns");
	r->quota = json_number_value(json_object_get(g, "quota_cpus"));
	r->throttled = throttled > 0 ? (uint64_t)throttled : 0;
	r->busy_poll_ns = busy_poll_ns > 0 ? busy_poll_ns : 0;
	r->throttled_ns = throttled_ns > 0 ? throttled_ns : 0;
	r->pauses.total_ns = paused_ns > 0 ? paused_ns : 0;
	read_pauses(p, json_object_get(g, "pauses"));
	for (enum bottleneck_reason i = 0; i < REASONS; i++) {
		if (strcmp(bottleneck_reason_name(i), reason) == 0)
			r->bottleneck_reason = i;
	}
}

void merge_generator_read(struct merge_part *p)
{
	const json_t *g = merge_value_object(p, p->root, "generator");
	const char *bottleneck = merge_value_text(p, g, "bottleneck");

	p->result.late_sends = merge_value_count(p, g, "late_sends");
	p->result.cpu_ns = merge_value_number(p, g, "cpu_ns");
	p->result.steal_ns = merge_value_number_or_none(p, g, "steal_ns");
	p->result.bottleneck = strcmp(bottleneck, "client") == 0   ? BOTTLENECK_CLIENT
			       : strcmp(bottleneck, "server") == 0 ? BOTTLENECK_SERVER
								   : BOTTLENECK_UNKNOWN;
	read_starvation(p, g);
}
