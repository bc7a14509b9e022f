/* SPDX-License-Identifier: MIT
 * choice: where the simulator's decisions come from. Each is a number below a bound, drawn from a
 * seed and kept, or taken from a list that was kept. 0 is always the plainest answer, so a list
 * from which numbers were taken out, or in which they became 0, is a plainer schedule.
 */
#ifndef SIM_CHOICE_H
#define SIM_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHOICES_MAX = 1 << 15 };

struct choices {
	uint32_t len;
	uint8_t made[CHOICES_MAX];
};

/* Decisions of @seed, kept in @log. */
void choice_from_seed(uint64_t seed, struct choices *log);

/* The decisions of @log, and 0 behind its end. What was really decided is kept in @made. */
void choice_from_log(const struct choices *log, struct choices *made);

/* A number below @n <= 256. */
unsigned choice_below(unsigned n);

/* Whether the list is at its end. */
bool choice_is_over(void);

/* Whether something happens that does so once in @n times; never, when the list is at its end. */
static inline bool choice_chance(unsigned n)
{
	return choice_below(n) == n - 1 && n > 1;
}

/* An element of an array. */
#define CHOICE_OF(array) ((array)[choice_below(sizeof(array) / sizeof((array)[0]))])

#endif
