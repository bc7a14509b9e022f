/* SPDX-License-Identifier: MIT
 * canary: how late is a thread on this machine, now, that does nothing but look at the clock? It
 * spins on one CPU and notes how long after its time each tick of a rate is seen. Nobody who also
 * has work to do can be earlier, so this is what the lateness of an open loop is compared with.
 */
#include "bare.h"
#include "echo/base/hist.h"

enum { DIGITS = 3 };

struct canary {
	double per_second, seconds;
	int cpu; /* -1: not pinned */
	unsigned allow_ns;
};

static void help(void)
{
	printf("usage: canary [-R RATE] [-d SECONDS] [--cpu N] [--allow NS]\n"
	       "Spins, and prints as a line of JSON how late its ticks were, in echoload's words.\n"
	       "Defaults: 50,000 ticks each second, 2 seconds, not pinned. --allow: so much more\n"
	       "is printed, as what somebody may be late who has work to do as well.\n");
	exit(0);
}

static void options(struct canary *c, int argc, char **argv)
{
	static const struct option longs[] = { { "cpu", 1, NULL, 'C' },
					       { "allow", 1, NULL, 'a' },
					       { "help", 0, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "R:d:h", longs, NULL)) != -1) {
		if (option == 'R')
			c->per_second = bare_number(optarg, "-R", 1, 10e6);
		else if (option == 'd')
			c->seconds = bare_number(optarg, "-d", 0.01, 86400);
		else if (option == 'C')
			c->cpu = (int)bare_count(optarg, "--cpu", 0, CPU_SETSIZE - 1);
		else if (option == 'a')
			c->allow_ns = bare_count(optarg, "--allow", 0, 1000000000);
		else if (option == 'h')
			help();
		else
			exit(BARE_EXIT_USAGE); /* getopt said which */
	}
	if (optind < argc)
		bare_usage("'%s': it takes no argument", argv[optind]);
}

/* Notes how late each tick was seen; all that have passed are seen at once. */
static void spin(const struct canary *c, struct hist *late)
{
	const double gap_ns = 1e9 / c->per_second;
	const int64_t begin_ns = bare_now_ns(), length_ns = (int64_t)(c->seconds * 1e9);
	double due_ns = gap_ns;

	while (due_ns < (double)length_ns) {
		const int64_t now_ns = bare_now_ns() - begin_ns;

		for (; due_ns <= (double)now_ns && due_ns < (double)length_ns; due_ns += gap_ns)
			hist_record(late, now_ns - (int64_t)due_ns);
	}
}

int main(int argc, char **argv)
{
	struct canary c = { .per_second = 50000, .seconds = 2, .cpu = -1 };
	struct hist *late = hist_new(DIGITS);

	options(&c, argc, argv);
	if (!late)
		bare_die(BARE_EXIT_ENVIRONMENT, "histogram");
	bare_pin(c.cpu);
	spin(&c, late);
	printf("{\"messages\": %llu, \"generator\": {\"lateness_ns\": {\"p50\": %lld, "
	       "\"p99\": %lld, \"p99_9\": %lld, \"max\": %lld}}}\n",
	       (unsigned long long)late->count, (long long)hist_percentile(late, 50) + c.allow_ns,
	       (long long)hist_percentile(late, 99) + c.allow_ns,
	       (long long)hist_percentile(late, 99.9) + c.allow_ns,
	       (long long)late->max + c.allow_ns);
	hist_free(late);
	return 0;
}
