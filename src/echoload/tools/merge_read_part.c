/* SPDX-License-Identifier: MIT
 * merge_read_part: what a result of a part says of the whole load, and of when its own connections
 * were lost.
 */
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "merge_private.h"

/* Column @i of a row of "service"; null is -1. */
static int64_t service_number(struct merge_part *p, const json_t *row, size_t i)
{
	const json_t *v = json_array_get(row, i);

	if (json_is_null(v))
		return -1;
	if (json_is_integer(v) && json_integer_value(v) >= 0 &&
	    json_integer_value(v) <= merge_number_max / SERVICE_ROWS_MAX)
		return json_integer_value(v);
	merge_value_fail(p, "'service' has what is no number, or none that can be");
	return 0;
}

static void read_service_row(struct merge_part *p, const json_t *row, struct service_row *to)
{
	int64_t n[7];

	for (size_t i = 0; i < ARRAY_LEN(n); i++)
		n[i] = service_number(p, row, i);
	*to = (struct service_row){ .first_ns = n[0],
				    .last_ns = n[1],
				    .errors = (uint64_t)n[2],
				    .messages_lost = (uint64_t)n[3],
				    .down = (uint32_t)n[4],
				    .last_echo_ns = n[5],
				    .back_ns = n[6] };
	if (n[0] < 0 || n[1] < n[0] || n[2] < 0 || n[3] < 0 || n[4] < 0 ||
	    n[4] > (int64_t)p->config.connections)
		merge_value_fail(p, "'service' says what cannot be");
}

static void read_service(struct merge_part *p)
{
	const json_t *row, *rows = json_object_get(p->root, "service");
	size_t i;

	if (!json_is_array(rows) || json_array_size(rows) > SERVICE_ROWS_MAX) {
		merge_value_fail(p, "'service' is missing, or has too many rows");
		return;
	}
	p->service = calloc(json_array_size(rows) + 1, sizeof(*p->service));
	if (!p->service)
		merge_value_no_memory(p);
	for (i = 0; !p->error[0] && i < json_array_size(rows); i++) {
		row = json_array_get(rows, i);
		read_service_row(p, row, &p->service[i]);
		if (i > 0 && p->service[i].first_ns < p->service[i - 1].last_ns)
			merge_value_fail(p, "'service' is not in order");
		p->service_count++;
	}
}

/* A number that may be negative, and is as far from 0 as a moment at most; null is 0. */
static int64_t signed_number(struct merge_part *p, const json_t *from, const char *key)
{
	const json_t *v = json_object_get(from, key);

	if (json_is_null(v))
		return 0;
	if (json_is_integer(v) && llabs(json_integer_value(v)) <= merge_number_max / 2)
		return json_integer_value(v);
	merge_value_fail(p, "'%s' is missing, or no number that can be", key);
	return 0;
}

/* What the whole load was asked for, as far as a verdict needs it. */
static void read_whole(struct merge_part *p)
{
	static const char *const keys[] = {
		"connections",  "messages", "duration",   "warmup",       "size",
		"pipeline",     "rate",     "arrivals",   "idle",         "churn",
		"close",        "verify",   "max_errors", "max_p99",      "min_rate",
		"max_downtime", "stall",    "interval",   "connect_rate", "start_at",
	};
	const json_t *config = merge_value_object(p, p->root, "config");

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		merge_config_value(p, &p->whole, keys[i], merge_value_text(p, config, keys[i]));
	p->whole.part = p->part;
	if (p->whole.interval <= 0)
		merge_value_fail(p, "'config.interval' is missing");
	else if (p->whole.connections < p->part.count)
		merge_value_fail(p, "%u connections are too few for %u parts", p->whole.connections,
				 p->part.count);
}

/* Its books say how many connections it had; that must be its share. */
static void check_share(struct merge_part *p)
{
	const uint32_t requested = p->config.connections;

	part_share(&p->whole, &p->config);
	if (!p->dead && p->config.connections != requested)
		merge_value_fail(p, "part %u of %u of %u connections has %u, not %u",
				 p->part.number, p->part.count, p->whole.connections,
				 p->config.connections, requested);
}

void merge_part_read(struct merge_part *p)
{
	const json_t *from = json_object_get(p->root, "part"), *context;
	int64_t number, count;

	if (!from || p->error[0])
		return;
	number = merge_value_moment(p, from, "number");
	count = merge_value_moment(p, from, "count");
	if (number < 1 || number > count || count < 2 || count > PARTS_MAX)
		merge_value_fail(p, "'part' is %lld of %lld", (long long)number, (long long)count);
	if (p->error[0])
		return;
	p->part = (struct part){ .number = (uint32_t)number, .count = (uint32_t)count };
	(void)merge_value_text(p, from, "run");
	read_whole(p);
	if (p->error[0])
		return;
	p->whole.ignore_errors = json_is_true(json_object_get(from, "ignore_errors"));
	check_share(p);
	context = json_object_get(p->root, "context");
	p->uncertainty_ns = json_is_null(json_object_get(from, "clock_uncertainty_ns"))
				    ? -1
				    : merge_value_moment(p, from, "clock_uncertainty_ns");
	p->stepped_ns = merge_value_moment(p, from, "clock_stepped_ns");
	p->result.start_unix_ns = merge_value_moment(p, context, "start_unix_ns") -
				  signed_number(p, from, "clock_offset_ns");
	if (!p->dead)
		read_service(p);
}
