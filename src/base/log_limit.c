/* SPDX-License-Identifier: MIT
 * log_limit: a table of kinds, searched from its beginning: there are as many as statements that
 * have logged, and a line costs a system call anyway.
 */
#include "echo/base/log_limit.h"

#include <assert.h>
#include <stddef.h>

#include "echo/base/base.h"

static struct log_kind *log_limit_find(struct log_limit *l, const char *format)
{
	for (unsigned i = 0; i < l->count; i++) {
		if (l->kinds[i].format == format)
			return &l->kinds[i];
	}
	if (l->count == LOG_LIMIT_KINDS)
		return NULL;
	l->kinds[l->count] = (struct log_kind){ .format = format };
	return &l->kinds[l->count++];
}

static int64_t log_kind_end_ns(const struct log_kind *k)
{
	return k->began_ns + MSEC(LOG_LIMIT_WINDOW_MS);
}

struct log_kind *log_limit_line(struct log_limit *l, const char *format, unsigned burst,
				int64_t now_ns)
{
	struct log_kind *k = burst > 0 ? log_limit_find(l, format) : NULL;

	if (!k)
		return NULL;
	if (k->count == 0 || (now_ns >= log_kind_end_ns(k) && k->left_out == 0)) {
		k->began_ns = now_ns;
		k->count = 0;
	}
	if (k->count < burst) {
		k->count++;
		return NULL;
	}
	k->left_out++;
	return k;
}

bool log_limit_take(struct log_limit *l, int64_t now_ns, bool all, struct log_kind *k)
{
	for (unsigned i = 0; i < l->count; i++) {
		struct log_kind *it = &l->kinds[i];

		if (it->left_out == 0 || (!all && now_ns < log_kind_end_ns(it)))
			continue;
		*k = *it;
		it->count = it->left_out = 0;
		return true;
	}
	return false;
}

int64_t log_limit_next_ns(const struct log_limit *l)
{
	int64_t next_ns = 0;

	for (unsigned i = 0; i < l->count; i++) {
		const struct log_kind *k = &l->kinds[i];

		if (k->left_out > 0 && (next_ns == 0 || log_kind_end_ns(k) < next_ns))
			next_ns = log_kind_end_ns(k);
	}
	return next_ns;
}
