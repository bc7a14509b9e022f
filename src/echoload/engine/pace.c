/* SPDX-License-Identifier: MIT
 * pace: due times of an open loop. Those at random are a heap of connections by their next time: an
 * advance moves the first one down to where its next time belongs.
 */
#include "pace.h"

#include <assert.h>
#include <math.h>

#include "echo/base/rng.h"

uint32_t pace_connections(const struct pace_turns *turns)
{
	return turns->first < turns->of
		       ? (uint32_t)((turns->of - turns->first - 1) / turns->step + 1)
		       : 0;
}

void pace_init(struct pace *p, int64_t start_ns, double per_second, const struct pace_turns *turns)
{
	assert(per_second > 0 && turns->step > 0 && turns->first < turns->of);
	*p = (struct pace){ .start_ns = start_ns,
			    .gap_ns = 1e9 / per_second,
			    .turns = *turns,
			    .turn = turns->first };
	p->offset_ns = p->gap_ns * (double)p->turn;
}

/* Inverse transform: -ln(u) is exponential with mean 1 for u uniform in (0, 1]. */
static double pace_exponential(uint64_t *seed)
{
	double u = (double)((rng_next(seed) >> 11) + 1) * 0x1p-53;

	return -log(u);
}

/* The time after this one of the first connection of the heap. */
static void pace_draw(const struct pace *p, struct pace_next *n)
{
	n->offset_ns += p->gap_ns * (double)p->turns.of * pace_exponential(&n->seed);
}

/* Moves entry @at down behind those that are earlier. */
static void pace_sift(const struct pace *p, uint32_t at)
{
	const struct pace_next moved = p->heap[at];
	uint32_t child;

	while ((child = 2 * at + 1) < p->heap_size) {
		if (child + 1 < p->heap_size &&
		    p->heap[child + 1].offset_ns < p->heap[child].offset_ns)
			child++;
		if (moved.offset_ns <= p->heap[child].offset_ns)
			break;
		p->heap[at] = p->heap[child];
		at = child;
	}
	p->heap[at] = moved;
}

void pace_set_poisson(struct pace *p, uint64_t seed, struct pace_next *heap)
{
	p->heap = heap;
	p->heap_size = pace_connections(&p->turns);
	for (uint32_t i = 0; i < p->heap_size; i++) {
		const uint64_t number = p->turns.first + i * p->turns.step;

		heap[i] = (struct pace_next){ .seed = rng_mix(rng_mix(seed) ^ number) };
		pace_draw(p, &heap[i]);
	}
	for (uint32_t i = p->heap_size / 2; i-- > 0;)
		pace_sift(p, i);
	p->offset_ns = heap[0].offset_ns;
}

void pace_advance(struct pace *p)
{
	p->count++;
	if (p->heap) {
		pace_draw(p, &p->heap[0]);
		pace_sift(p, 0);
		p->offset_ns = p->heap[0].offset_ns;
		return;
	}
	p->turn += p->turns.step;
	if (p->turn >= p->turns.of) {
		p->turn = p->turns.first;
		p->round += p->turns.of;
	}
	p->offset_ns = p->gap_ns * (double)(p->round + p->turn);
}
