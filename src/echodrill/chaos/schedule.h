/* SPDX-License-Identifier: MIT
 * schedule: from a seed to faults. A round of chaos is a drill: a load, some faults of random kinds
 * at random times, behind each the demand that all has settled, and what must hold in the end. It
 * is written as a drill file, which can be run again, and be made shorter, by itself.
 */
#ifndef ECHODRILL_SCHEDULE_H
#define ECHODRILL_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { SCHEDULE_FAULTS_MAX = 8 };

struct schedule {
	uint64_t seed;
	unsigned faults;             /* of a round, at most SCHEDULE_FAULTS_MAX */
	unsigned round;              /* from 1: another one, another sequence of the same seed */
	const char *server, *client; /* backends */
	bool forks;                  /* the server is many processes: it does not take over */
};

/* Writes the round's drill file. The same schedule is the same text, on every machine. */
void schedule_write(const struct schedule *s, FILE *to);

/* A number below @n by which a round chooses its backends; @of: "server", "client". */
unsigned schedule_choose(uint64_t seed, unsigned round, const char *of, unsigned n);

#endif
