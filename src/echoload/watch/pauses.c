/* SPDX-License-Identifier: MIT
 * pauses: what is late and was not spent waiting for a CPU.
 */
#include "pauses.h"

#include "echo/base/base.h"

void pauses_start(struct pauses *p, int64_t waited_ns)
{
	*p = (struct pauses){ .waited_ns = waited_ns };
}

void pauses_tick(struct pauses *p, int64_t due_ns, int64_t now_ns, int64_t waited_ns)
{
	const int64_t waited = waited_ns < 0 ? 0 : waited_ns - p->waited_ns;
	const int64_t gap_ns = now_ns - due_ns - waited;

	p->waited_ns = waited_ns;
	if (gap_ns < MSEC(PAUSES_LEAST_MS))
		return;
	p->total_ns += gap_ns;
	if (p->count < PAUSES_MAX)
		p->list[p->count++] = (struct pause){ now_ns - gap_ns, now_ns };
	else
		p->unlisted++;
}

bool pauses_explain(const struct pauses *p, int64_t at_ns, int64_t after_ns)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (at_ns >= p->list[i].begin_ns && at_ns <= p->list[i].end_ns + after_ns)
			return true;
	}
	return false;
}

int64_t pauses_between(const struct pauses *p, int64_t begin_ns, int64_t end_ns)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < p->count; i++) {
		const struct pause *at = &p->list[i];
		int64_t from = at->begin_ns > begin_ns ? at->begin_ns : begin_ns;
		int64_t to = at->end_ns < end_ns ? at->end_ns : end_ns;

		sum += to > from ? to - from : 0;
	}
	return sum;
}

int64_t pauses_after(const struct pauses *p, int64_t from_ns, int64_t to_ns)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (p->list[i].end_ns > from_ns && p->list[i].end_ns <= to_ns)
			from_ns = p->list[i].end_ns;
	}
	return from_ns;
}

void pauses_shift(struct pauses *p, int64_t start_ns)
{
	for (unsigned i = 0; i < p->count; i++) {
		p->list[i].begin_ns -= start_ns;
		p->list[i].end_ns -= start_ns;
	}
}
