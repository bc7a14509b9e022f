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

enum { STEPS = 1000000, COMBINATIONS = SIM_BACKENDS * SIM_ROLES, NAME_MAX_LEN = 32 };

static const char *const backend_names[] = { "epoll", "io_uring" };
static const char *const role_names[] = { "echo", "client" };

struct options {
	uint64_t steps, seed;
	const char *only; /* a part of the name of a combination */
	bool quick;       /* failures are not made shorter, and the first one ends it all */
	unsigned ran;     /* combinations */
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

/* One combination. Returns whether it kept the rules. */
static bool run_combination(struct options *o, unsigned n)
{
	struct sim_report *r = sim.report;
	char name[NAME_MAX_LEN];
	bool well;

	if (!choose_combination(o, n, name))
		return true;
	o->ran++;
	r->steps = r->schedules = 0;
	well = run_child(o->seed, o->steps);
	if (well)
		printf("%s: %llu steps in %llu schedules, from seed %llu on: all rules kept\n",
		       name, (unsigned long long)r->steps, (unsigned long long)r->schedules,
		       (unsigned long long)o->seed);
	else
		tell_failure(name, o->quick);
	fflush(stdout);
	return well;
}

/* The steps of each combination that is to run. */
static uint64_t share_of_steps(const struct options *o)
{
	char name[NAME_MAX_LEN];
	unsigned chosen = 0;

	for (unsigned i = 0; i < COMBINATIONS; i++)
		chosen += choose_combination(o, i, name);
	return chosen > 0 ? o->steps / chosen + 1 : 0;
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
	unsigned failed = 0;

	read_options(&o, argc, argv);
	o.steps = share_of_steps(&o);
	sim.report = mmap(NULL, sizeof(*sim.report), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sim.report == MAP_FAILED)
		return 2;
	for (unsigned i = 0; i < COMBINATIONS && !(o.quick && failed > 0); i++)
		failed += !run_combination(&o, i);
	printf("%u passed, %u failed\n", o.ran - failed, failed);
	return failed > 0 || o.ran == 0;
}
