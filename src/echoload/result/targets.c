/* SPDX-License-Identifier: MIT
 * targets: what became of each of many targets.
 */
#include "targets.h"

#include <stdio.h>
#include <stdlib.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echoload/options/opts.h"
#include "result.h"

enum {
	MEDIAN_LEAST = 20, /* messages, for its median to say something */
	P99_LEAST = 1000,
	SLOW_TIMES = 2,
};

static const char *const names[] = { "ok", "slow", "died", "silent" };
static_assert(ARRAY_LEN(names) == TARGET_STATES, "every state has a name");

const char *targets_state_name(enum target_state s)
{
	return names[s];
}

static int by_value(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The percentile of a target that had at least @least messages; -1: it had not. */
static int64_t percentile_of(const struct target_result *t, double percent, uint64_t least)
{
	return t->latency && t->latency->count >= least ? hist_percentile(t->latency, percent) : -1;
}

/* Whether this percentile of it is more than twice that of the target in the middle; of an even
 * number the better one. */
static bool is_slow(const struct result *r, unsigned t, double percent, uint64_t least)
{
	const int64_t own = percentile_of(&r->targets[t], percent, least);
	static int64_t all[TARGETS_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < r->target_count; i++) {
		const int64_t value = percentile_of(&r->targets[i], percent, least);

		if (value >= 0)
			all[n++] = value;
	}
	if (own < 0 || n < 2)
		return false;
	qsort(all, n, sizeof(*all), by_value);
	return own > SLOW_TIMES * all[(n - 1) / 2];
}

enum target_state targets_state(const struct result *r, unsigned t)
{
	const struct books *b = &r->targets[t].books;

	if (b->all.echoed == 0)
		return b->all.sent > 0 || b->failed > 0 ? TARGET_SILENT : TARGET_OK;
	if (books_errors(b) > 0 && b->last_echo_ns > 0 &&
	    b->last_echo_ns + r->config->stall < r->measure_end_ns)
		return TARGET_DIED;
	return is_slow(r, t, 50, MEDIAN_LEAST) || is_slow(r, t, 99, P99_LEAST) ? TARGET_SLOW
									       : TARGET_OK;
}

unsigned targets_count(const struct result *r, enum target_state s, const char **first)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->target_count; i++) {
		if (targets_state(r, i) != s)
			continue;
		if (n++ == 0 && first)
			*first = r->targets[i].name;
	}
	return n;
}

void targets_say(const struct result *r, char *text, size_t size)
{
	static const char *const how[] = {
		[TARGET_SLOW] = "slow", [TARGET_DIED] = "died", [TARGET_SILENT] = "gave no echo"
	};
	size_t len = 0;

	text[0] = '\0';
	for (enum target_state s = TARGET_SILENT; r->target_count > 1 && s >= TARGET_SLOW; s--) {
		const char *first = "";
		const unsigned n = targets_count(r, s, &first);

		if (n == 0 || len >= size)
			continue;
		len += (size_t)snprintf(text + len, size - len, ", %u of %u targets %s%s: %.40s", n,
					r->target_count,
					s != TARGET_SLOW ? ""
					: n == 1         ? "was "
							 : "were ",
					how[s], first);
		if (n > 1 && len < size)
			len += (size_t)snprintf(text + len, size - len, " and %u more", n - 1);
	}
}
