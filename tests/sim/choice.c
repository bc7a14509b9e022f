/* SPDX-License-Identifier: MIT
 * choice: decisions, from a seed or from a list. See choice.h.
 */
#include "choice.h"

#include <assert.h>

#include "echo/base/rng.h"

static struct {
	uint64_t seed;
	const struct choices *from; /* NULL: the seed decides */
	uint32_t at;
	struct choices *log;
} choice;

void choice_from_seed(uint64_t seed, struct choices *log)
{
	choice.seed = seed;
	choice.from = NULL;
	choice.log = log;
	log->len = 0;
}

void choice_from_log(const struct choices *log, struct choices *made)
{
	choice.from = log;
	choice.at = 0;
	choice.log = made;
	made->len = 0;
}

bool choice_is_over(void)
{
	return choice.log->len == CHOICES_MAX || (choice.from && choice.at == choice.from->len);
}

unsigned choice_below(unsigned n)
{
	unsigned v = 0;

	assert(n <= 256);
	if (n <= 1 || choice.log->len == CHOICES_MAX)
		return 0; /* a schedule that is so long comes to its end in the plainest way */
	if (!choice.from)
		v = (unsigned)rng_below(&choice.seed, n);
	else if (choice.at < choice.from->len)
		v = choice.from->made[choice.at++] % n;
	choice.log->made[choice.log->len++] = (uint8_t)v;
	return v;
}
