/* SPDX-License-Identifier: MIT
 * rounds: how often and in which order the servers of a block are loaded, and what their rounds
 * make together.
 *
 * Each turn loads all servers of a block once, a round of some milliseconds each. The speed of a
 * machine wanders, in virtual machines by a third within seconds; within a turn it does so for all
 * of them alike. So what a server differs from the mean of its turn is what counts, and the median
 * of that over all turns.
 */
#ifndef ECHOBENCH_ROUNDS_H
#define ECHOBENCH_ROUNDS_H

#include "echobench/verdict/cell.h"

enum { TURNS_MAX = 1000 };

/* How long a round lasts in which each connection can get several answers, and an open loop has
 * enough to send. */
int64_t round_ns(const struct bench_config *c, const struct workload *w);

/* Turns that are measured, and turns before them that nobody judges. */
unsigned round_turns(const struct bench_config *c, const struct workload *w);
unsigned round_warm_turns(const struct bench_config *c, const struct workload *w);

/* The order of a turn: one pair after the other, each in random order; side * REPLICATES +
 * replicate. */
void round_order(uint64_t *rng, uint8_t order[BLOCK_SERVERS]);

/* From @turns of rounds, @s[turn * BLOCK_SERVERS + server], to one sample of each server.
 * 0 < turns <= TURNS_MAX. */
void rounds_combine(const struct sample *s, unsigned turns, struct sample out[BLOCK_SERVERS]);

#endif
