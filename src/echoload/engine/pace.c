/* SPDX-License-Identifier: MIT
 * pace: due times of an open loop.
 */
#include "pace.h"

#include <assert.h>
#include <math.h>

#include "echo/base/rng.h"

void pace_init(struct pace *p, int64_t start_ns, double per_second, double phase)
{
	assert(per_second > 0);
	*p = (struct pace){ .start_ns = start_ns, .gap_ns = 1e9 / per_second };
	p->offset_ns = p->gap_ns * phase;
}

/* Inverse transform: -ln(u) is exponential with mean 1 for u uniform in (0, 1]. */
static double pace_exponential(uint64_t *seed)
{
	double u = (double)((rng_next(seed) >> 11) + 1) * 0x1p-53;

	return -log(u);
}

void pace_set_poisson(struct pace *p, uint64_t seed)
{
	p->poisson = true;
	p->seed = seed;
	p->offset_ns = p->gap_ns * pace_exponential(&p->seed);
}

void pace_advance(struct pace *p)
{
	p->count++;
	if (p->poisson)
		p->offset_ns += p->gap_ns * pace_exponential(&p->seed);
	else
		p->offset_ns += p->gap_ns;
}
