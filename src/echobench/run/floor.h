/* SPDX-License-Identifier: MIT
 * floor: what the kernel's TCP path costs here when nobody waits, from bench/floor if it is there.
 */
#ifndef ECHOBENCH_FLOOR_H
#define ECHOBENCH_FLOOR_H

struct bench_config;

/* Nanoseconds of one echo on the server's first CPU; -1: not measured. */
double floor_measure(const struct bench_config *c);

#endif
