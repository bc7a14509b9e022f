/* SPDX-License-Identifier: MIT
 * shrink: from a list of choices that breaks a rule to a shorter one, or one with more zeroes, that
 * breaks the same rule: parts are taken out, large ones first, then numbers become 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "sim.h"

enum { TRIES_MAX = 1000 };

static struct {
	struct choices best, next;
	char rule[64];
	unsigned tries;
} shrink;

/* Runs a schedule of @list in a child. */
static void run_list(const struct choices *list)
{
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();

	if (pid == 0) {
		choice_from_log(list, &sim.report->choices);
		run_schedule();
		_exit(0);
	}
	(void)waitpid(pid, &status, 0);
	if (status != 0 && sim.report->rule[0] == '\0')
		memcpy(sim.report->rule, "crash", sizeof("crash"));
}

/* Whether the next list fails as the first one did: then it is the best one, as far as it was used.
 */
static bool shrink_try(void)
{
	if (shrink.tries >= TRIES_MAX)
		return false;
	shrink.tries++;
	sim.report->rule[0] = '\0';
	run_list(&shrink.next);
	if (strncmp(sim.report->rule, shrink.rule, strlen(shrink.rule)) != 0)
		return false;
	shrink.best = shrink.next;
	if (sim.report->choices.len < shrink.best.len)
		shrink.best.len = sim.report->choices.len;
	return true;
}

static bool try_without(uint32_t at, uint32_t n)
{
	shrink.next = shrink.best;
	memmove(&shrink.next.made[at], &shrink.next.made[at + n], shrink.next.len - at - n);
	shrink.next.len -= n;
	return shrink_try();
}

static bool try_zeroes(uint32_t at, uint32_t n)
{
	static const uint8_t zeroes[CHOICES_MAX];

	if (memcmp(&shrink.best.made[at], zeroes, n) == 0)
		return false;
	shrink.next = shrink.best;
	memset(&shrink.next.made[at], 0, n);
	return shrink_try();
}

/* One pass with parts of @n choices. Returns whether it helped. */
static bool shrink_pass(uint32_t n, bool (*one)(uint32_t at, uint32_t n))
{
	bool helped = false;

	for (uint32_t end = shrink.best.len; end >= n && end > 0;) {
		helped |= one(end - n, n);
		end = (end - n < shrink.best.len) ? end - n : shrink.best.len;
	}
	return helped;
}

unsigned shrink_failure(struct sim_report *r)
{
	bool helped = true;

	sim.trace = false;
	shrink.best = r->choices;
	shrink.tries = 0;
	memcpy(shrink.rule, r->rule, sizeof(shrink.rule));
	if (strncmp(shrink.rule, "crash", 5) == 0)
		shrink.rule[5] = '\0';
	while (helped && shrink.tries < TRIES_MAX) {
		helped = false;
		for (uint32_t n = shrink.best.len / 2; n > 0; n /= 2)
			helped |= shrink_pass(n, try_without);
		for (uint32_t n = 64; n > 0; n /= 4)
			helped |= shrink_pass(n, try_zeroes);
	}
	/* once more, for all to see */
	shrink.next = shrink.best;
	sim.trace = true;
	run_list(&shrink.next);
	sim.trace = false;
	r->choices = shrink.best;
	return shrink.tries;
}
