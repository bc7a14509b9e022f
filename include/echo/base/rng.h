/* SPDX-License-Identifier: MIT
 * rng: splitmix64 (Steele, Lea, Flood 2014): small, seedable, the same on every machine, and good
 * enough for jitter, payload and sampling. Not for secrets.
 */
#ifndef ECHO_RNG_H
#define ECHO_RNG_H

#include <stdint.h>

/* A hash of x: what splitmix64 returns for the state x. */
static inline uint64_t rng_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* The next number of the sequence whose state is *seed. */
static inline uint64_t rng_next(uint64_t *seed)
{
	uint64_t r = rng_mix(*seed);

	*seed += 0x9e3779b97f4a7c15ull;
	return r;
}

/* Uniform in [0, n), n > 0; multiply-shift, bias below n / 2^64 (Lemire 2019). */
static inline uint64_t rng_below(uint64_t *seed, uint64_t n)
{
	return (uint64_t)(((unsigned __int128)rng_next(seed) * n) >> 64);
}

#endif
