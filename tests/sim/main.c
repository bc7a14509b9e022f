/* SPDX-License-Identifier: MIT
 * main: runs schedules, from seed to seed, until so many steps were taken, for each backend and
 * role. A schedule runs in a child, which a broken rule, an assertion or a crash ends; the schedule
 * is then made as short as possible and told.
 */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "sim.h"
#include "wrap.h"

enum {
	STEPS = 1000000,
	SLICE = 200000,
	COMBINATIONS = SIM_BACKENDS * SIM_ROLES,
	NAME_MAX_LEN = 32
};

static const char *const backend_names[] = { "epoll", "io_uring" };
static const char *const role_names[] = { "echo", "client" };

struct options {
	uint64_t steps, seed;
	const char *only; /* a part of the name of a combination */
	bool quick;       /* failures are not made shorter, and the first one ends it all */
};

/* Of one combination. They take turns, so that what one of them shows is soon found. */
struct progress {
	uint64_t seed, steps, schedules; /* the next; so far */
	bool chosen, over, failed;
};

void sim_fail(const char *rule, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	snprintf(sim.report->rule, sizeof(sim.report->rule), "%s", rule);
	vsnprintf(sim.report->why, sizeof(sim.report->why), format, args);
	va_end(args);
	TRACE("FAILED: %s: %s", rule, sim.report->why);
	fflush(stdout);
	_exit(1);
}

void sim_trace(const char *format, ...)
{
	va_list args;

	printf("    %10lld  ", (long long)sim.now_ns / 1000 - 1000 * 1000 * 1000LL);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

/* An assertion of the code under test. */
void __wrap___assert_fail(const char *what, const char *file, unsigned line, const char *in);
void __wrap___assert_fail(const char *what, const char *file, unsigned line, const char *in)
{
	sim_fail("assertion", "%s:%u: %s: %s", file, line, in, what);
}

/* In a child: schedules from @seed on, until @until steps were taken in all. */
static void run_many(uint64_t seed, uint64_t until)
{
	struct sim_report *r = sim.report;

	for (; r->steps < until; seed++) {
		r->seed = seed;
		choice_from_seed(seed, &r->choices);
		run_schedule();
		r->steps += r->choices.len;
		r->schedules++;
	}
}

/* Runs schedules in a child. Returns whether all went well; if not, sim.report says what. */
static bool run_child(uint64_t seed, uint64_t until)
{
	pid_t pid;
	int status = 0;

	sim.report->rule[0] = '\0';
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		run_many(seed, until);
		fflush(stdout);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		exit(2);
	if (status == 0)
		return true;
	if (sim.report->rule[0] == '\0')
		snprintf(sim.report->rule, sizeof(sim.report->rule), "crash (status %#x)",
			 (unsigned)status);
	return false;
}

static void tell_failure(const char *name, bool quick)
{
	struct sim_report *r = sim.report;
	uint32_t before;
	unsigned tries;

	printf("%s: seed %llu, step %llu of all: %s: %s\n", name, (unsigned long long)r->seed,
	       (unsigned long long)r->steps + r->choices.len, r->rule, r->why);
	printf("    again: make sim SIM_SEED=%llu SIM_ONLY='%s' SIM_STEPS=1\n",
	       (unsigned long long)r->seed, name);
	if (quick)
		return;
	before = r->choices.len;
	tries = shrink_failure(r);
	printf("    %u choices, shrunk to %u in %u tries:\n", before, r->choices.len, tries);
}

/* Chooses a combination. Returns whether it is to run. */
static bool choose_combination(const struct options *o, unsigned n, char name[NAME_MAX_LEN])
{
	sim.backend = (enum sim_backend)(n / SIM_ROLES);
	sim.role = (enum sim_role)(n % SIM_ROLES);
	snprintf(name, NAME_MAX_LEN, "%s %s", backend_names[sim.backend], role_names[sim.role]);
	return !o->only || strstr(name, o->only);
}

/* The next schedules of one combination. */
static void run_slice(const struct options *o, unsigned n, struct progress *p)
{
	const uint64_t until = p->steps + SLICE < o->steps ? p->steps + SLICE : o->steps;
	struct sim_report *r = sim.report;
	char name[NAME_MAX_LEN];

	(void)choose_combination(o, n, name);
	r->steps = p->steps;
	r->schedules = p->schedules;
	p->failed = !run_child(p->seed, until);
	p->seed = r->seed + 1;
	p->steps = r->steps;
	p->schedules = r->schedules;
	p->over = p->failed || p->steps >= o->steps;
	if (p->failed)
		tell_failure(name, o->quick);
	else if (p->over)
		printf("%s: %llu steps in %llu schedules, from seed %llu on: all rules kept\n",
		       name, (unsigned long long)r->steps, (unsigned long long)r->schedules,
		       (unsigned long long)o->seed);
	fflush(stdout);
}

/* All combinations in turn. Returns how many are left. */
static unsigned run_slices(const struct options *o, struct progress all[COMBINATIONS])
{
	unsigned left = 0;

	for (unsigned i = 0; i < COMBINATIONS; i++) {
		struct progress *p = &all[i];

		if (!p->chosen || p->over)
			continue;
		run_slice(o, i, p);
		if (p->failed && o->quick)
			return 0;
		left += !p->over;
	}
	return left;
}

/* Returns how many combinations are to run; each has its share of the steps. */
static unsigned choose_all(struct options *o, struct progress all[COMBINATIONS])
{
	char name[NAME_MAX_LEN];
	unsigned chosen = 0;

	for (unsigned i = 0; i < COMBINATIONS; i++) {
		all[i].seed = o->seed;
		all[i].chosen = choose_combination(o, i, name);
		chosen += all[i].chosen;
	}
	if (chosen > 0)
		o->steps = o->steps / chosen + 1;
	return chosen;
}

static void read_options(struct options *o, int argc, char *argv[])
{
	int c;

	while ((c = getopt(argc, argv, "n:s:o:qt")) != -1) {
		if (c == 'n')
			o->steps = strtoull(optarg, NULL, 0);
		else if (c == 's')
			o->seed = strtoull(optarg, NULL, 0);
		else if (c == 'o')
			o->only = optarg;
		else if (c == 'q')
			o->quick = true;
		else if (c == 't')
			sim.trace = true;
		else
			exit(2);
	}
}

int main(int argc, char *argv[])
{
	struct options o = { .steps = STEPS, .seed = 1 };
	struct progress all[COMBINATIONS] = { 0 };
	unsigned chosen, failed = 0;

	read_options(&o, argc, argv);
	chosen = choose_all(&o, all);
	sim.report = mmap(NULL, sizeof(*sim.report), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sim.report == MAP_FAILED)
		return 2;
	while (run_slices(&o, all) > 0)
		;
	for (unsigned i = 0; i < COMBINATIONS; i++)
		failed += all[i].failed;
	printf("%u passed, %u failed\n", chosen - failed, failed);
	return failed > 0 || chosen == 0;
}
