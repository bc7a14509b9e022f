/* SPDX-License-Identifier: MIT
 * bench_base: the small pieces of the hot path: refused bytes, deadlines, and names for failures.
 */
#include "bench.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/cause.h"
#include "echo/base/timer.h"
#include "echo/base/unsent.h"

/* A refused span of this size is queued and taken out again. */
BENCH(unsent_push_pop, 64, 4096, 65536)
{
	static char span[65536];
	struct unsent_pool pool;
	struct unsent q = { .len = 0 };

	if (unsent_pool_init(&pool, 1 << 20) < 0) {
		bench_skip(b, "no memory");
		return;
	}
	while (bench_next(b)) {
		if (unsent_push(&pool, &q, span, (size_t)b->arg) == 0)
			unsent_pop(&pool, &q, (size_t)b->arg);
	}
	bench_bytes(b, (double)b->arg);
	unsent_pool_fini(&pool);
}

static void never(struct timer *t, int64_t now_ns)
{
	(void)t;
	(void)now_ns;
}

/* A deadline is moved, with this many others set. */
BENCH(timer_move, 1, 1000, 100000)
{
	static struct timer others[100000];
	static struct timers ts;
	struct timer t = { .fire = never };
	int64_t now_ns = 0;

	memset(others, 0, sizeof(others));
	timers_init(&ts, 0);
	for (int64_t i = 0; i < b->arg; i++) {
		others[i].fire = never;
		timer_set(&ts, &others[i], SEC(1) + i * USEC(10));
	}
	while (bench_next(b))
		timer_set(&ts, &t, SEC(1) + (now_ns += USEC(7)) % SEC(3));
	bench_items(b, 1);
}

/* What a turn of the loop pays when nothing is due. */
BENCH(timers_run_nothing)
{
	static struct timers ts;
	struct timer t = { .fire = never };
	int64_t now_ns = 0, sum = 0;

	timers_init(&ts, 0);
	timer_set(&ts, &t, SEC(1000000));
	while (bench_next(b)) {
		now_ns += USEC(5);
		sum += timers_next(&ts, now_ns);
		timers_run(&ts, now_ns);
	}
	bench_keep(&sum);
}

BENCH(cause_from_errno)
{
	static const int errs[] = {
		0, ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, EMFILE, EIO, 4095
	};
	unsigned i = 0, sum = 0;

	while (bench_next(b))
		sum += cause_from_errno(PHASE_AWAITING, errs[i++ % ARRAY_LEN(errs)]);
	bench_keep(&sum);
	bench_items(b, 1);
}
