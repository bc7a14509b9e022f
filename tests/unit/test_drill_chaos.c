/* SPDX-License-Identifier: MIT
 * test_drill_chaos: from a seed to faults.
 */
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echodrill/chaos/schedule.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"

#include "suites.h"

enum { TEXT_MAX = 16384, ROUNDS = 200 };

static struct drill d;
static struct schedule s;

static void setup(void)
{
	s = (struct schedule){
		.seed = 1, .round = 1, .faults = 8, .server = "epoll", .client = "io_uring"
	};
}

static char *written(char text[TEXT_MAX])
{
	FILE *f = fmemopen(text, TEXT_MAX, "w");

	ck_assert_ptr_nonnull(f);
	schedule_write(&s, f);
	ck_assert_int_eq(fclose(f), 0);
	return text;
}

static void read_drill(void)
{
	char text[TEXT_MAX], error[OPT_ERROR_MAX];
	FILE *f = fmemopen(text, strlen(written(text)), "r");
	int r;

	ck_assert_ptr_nonnull(f);
	r = drill_read_stream(&d, f, "chaos", error);
	fclose(f);
	ck_assert_msg(r == 0, "seed %llu, round %u: %s", (unsigned long long)s.seed, s.round,
		      error);
}

/* It is a promise to whoever kept a seed: whoever changes the schedule changes this. */
START_TEST(a_seed_is_the_same_faults_on_every_machine)
{
	static const char steps[] = "[steps]\n"
				    "step = write echod.conf [server] | max_conns = 1000\n"
				    "step = start server\n"
				    "step = start client\n"
				    "step = settled 13\n"
				    "step = after 421ms fault signal KILL server\n"
				    "step = await exit server within 20s\n"
				    "step = after 190ms start server\n"
				    "step = settled 13\n"
				    "step = after 246ms destroy client\n"
				    "step = settled 13\n"
				    "step = after 798ms destroy server\n"
				    "step = settled 13\n";
	char text[TEXT_MAX], *from, *to;

	s.faults = 3;
	from = strstr(written(text), "[steps]");
	ck_assert_ptr_nonnull(from);
	to = strstr(from, "step = signal TERM client");
	ck_assert_ptr_nonnull(to);
	*to = '\0';
	ck_assert_str_eq(from, steps);
}
END_TEST

START_TEST(another_seed_or_round_is_another_schedule)
{
	char first[TEXT_MAX], other[TEXT_MAX];

	written(first);
	ck_assert_str_eq(written(other), first);
	s.round = 2;
	ck_assert_str_ne(written(other), first);
	s.round = 1;
	s.seed = 2;
	ck_assert_str_ne(written(other), first);
}
END_TEST

/* The number of the step behind a fault, its healing included, at which all must have settled. */
static unsigned settled_after(unsigned nth)
{
	while (nth < d.step.count && d.step.at[nth].verb != &verb_settled)
		nth++;
	return nth;
}

START_TEST(every_schedule_is_a_drill_whose_faults_all_settle)
{
	s.forks = _i;
	for (s.seed = 1; s.seed <= ROUNDS; s.seed++) {
		unsigned settled = 0;

		read_drill();
		ck_assert(d.timeless);
		for (unsigned i = 0; i < d.step.count; i++) {
			settled += d.step.at[i].verb == &verb_settled;
			if (d.step.at[i].fault)
				ck_assert_uint_lt(settled_after(i), d.step.count);
			ck_assert(!s.forks || d.step.at[i].verb != &verb_restart);
		}
		ck_assert_uint_eq(settled, s.faults + 1);
		ck_assert(d.step.at[0].verb == &verb_write);
	}
}
END_TEST

START_TEST(every_kind_of_fault_comes)
{
	static const char *const kinds[] = { "signal KILL server",
					     "signal STOP server",
					     "signal TERM server",
					     "signal STOP client",
					     "signal HUP server",
					     "restart 1 echod.conf",
					     "destroy server",
					     "destroy client",
					     "drop",
					     "iifname r0 counter name fault drop",
					     "iifname r1 counter name fault drop",
					     "numgen",
					     "reject with icmp",
					     "reject with tcp reset",
					     "ip router link set r1 down" };
	unsigned seen[ARRAY_LEN(kinds)] = { 0 };
	char text[TEXT_MAX];

	for (s.round = 1; s.round <= ROUNDS; s.round++)
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			seen[k] += strstr(written(text), kinds[k]) != NULL;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		ck_assert_msg(seen[k] > ROUNDS / 20, "%s: in %u of %d rounds", kinds[k], seen[k],
			      ROUNDS);
}
END_TEST

START_TEST(backends_are_chosen_evenly_and_the_same_each_time)
{
	unsigned counts[3] = { 0 }, both = 0;

	for (unsigned round = 1; round <= ROUNDS; round++) {
		const unsigned server = schedule_choose(7, round, "server", 3);

		ck_assert_uint_lt(server, 3);
		ck_assert_uint_eq(server, schedule_choose(7, round, "server", 3));
		counts[server]++;
		both += server == schedule_choose(7, round, "client", 3);
	}
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_gt(counts[i], ROUNDS / 5);
	ck_assert_uint_lt(both, ROUNDS / 2);
}
END_TEST

Suite *drill_chaos_suite(void)
{
	Suite *suite = suite_create("drill_chaos");
	TCase *t = tcase_create("schedule");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, a_seed_is_the_same_faults_on_every_machine);
	tcase_add_test(t, another_seed_or_round_is_another_schedule);
	tcase_add_loop_test(t, every_schedule_is_a_drill_whose_faults_all_settle, 0, 2);
	tcase_add_test(t, every_kind_of_fault_comes);
	tcase_add_test(t, backends_are_chosen_evenly_and_the_same_each_time);
	suite_add_tcase(suite, t);
	return suite;
}
