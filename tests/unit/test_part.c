/* SPDX-License-Identifier: MIT
 * test_part: shares of a load that differ by one at most and add up to the whole, and what the
 * environment of launchers says.
 */
#include "echoload/options/part.h"

#include <string.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echoload/options/opts.h"

#include "suites.h"

static struct load_config whole;

static void part_is(uint32_t number, uint32_t count)
{
	whole.part = (struct part){ .number = number, .count = count };
}

static const struct {
	unsigned connections, idle, parts;
	uint64_t messages;
} loads[] = {
	{ 1000, 0, 4, 100000 }, { 10, 3, 3, 7 }, { 7, 5, 7, 0 },
	{ 1001, 13, 8, 1003 },  { 1, 0, 1, 1 },
};

START_TEST(shares_add_up_and_differ_by_one_at_most)
{
	struct load_config share;
	uint64_t connections = 0, idle = 0, messages = 0, errors = 0;
	double rate = 0, min_rate = 0;

	whole = (struct load_config){ .connections = loads[_i].connections,
				      .idle = loads[_i].idle,
				      .messages = loads[_i].messages,
				      .max_errors = 5,
				      .rate = 12345.678,
				      .min_rate = 1e4 };
	for (uint32_t k = 1; k <= loads[_i].parts; k++) {
		part_is(k, loads[_i].parts);
		part_share(&whole, &share);
		ck_assert_uint_le(share.connections - whole.connections / loads[_i].parts, 1);
		ck_assert_uint_le(share.idle - whole.idle / loads[_i].parts, 1);
		ck_assert_uint_le(share.messages - whole.messages / loads[_i].parts, 1);
		ck_assert_uint_eq(part_before(&whole.part, whole.connections), connections);
		connections += share.connections;
		idle += share.idle;
		messages += share.messages;
		errors += share.max_errors;
		rate += share.rate;
		min_rate += share.min_rate;
	}
	ck_assert_uint_eq(connections, whole.connections);
	ck_assert_uint_eq(idle, whole.idle);
	ck_assert_uint_eq(messages, whole.messages);
	ck_assert_uint_eq(errors, whole.max_errors);
	ck_assert_double_eq_tol(rate, whole.rate, 1e-6);
	ck_assert_double_eq_tol(min_rate, whole.min_rate, 1e-6);
}
END_TEST

/* Numbers of part K are K-1, K-1+N, ...; each place is taken by one of them. */
START_TEST(every_connection_has_a_place_of_its_own)
{
	static unsigned taken[2000];
	const unsigned all = loads[_i].connections + loads[_i].idle;

	memset(taken, 0, sizeof(taken));
	whole = (struct load_config){ .connections = loads[_i].connections,
				      .idle = loads[_i].idle };
	for (uint64_t number = 0; number < all; number++) {
		uint64_t place;

		part_is((uint32_t)(number % loads[_i].parts) + 1, loads[_i].parts);
		place = part_place(&whole, number);
		ck_assert_uint_lt(place, all);
		ck_assert((place < whole.connections) == (number < whole.connections));
		ck_assert_uint_eq(taken[place]++, 0);
	}
}
END_TEST

START_TEST(targets_get_the_same_from_each_part_and_from_all)
{
	enum { TARGETS = 4 };
	uint32_t got[TARGETS] = { 0 };

	whole = (struct load_config){ .connections = loads[_i].connections };
	for (uint32_t k = 1; k <= loads[_i].parts; k++) {
		uint32_t counted[TARGETS] = { 0 };

		part_is(k, loads[_i].parts);
		for (uint64_t number = k - 1; number < whole.connections; number += loads[_i].parts)
			counted[part_place(&whole, number) % TARGETS]++;
		for (unsigned t = 0; t < TARGETS; t++) {
			const uint64_t least =
				part_share_of(&whole.part, whole.connections) / TARGETS;

			ck_assert_uint_eq(part_requested(&whole, t, TARGETS), counted[t]);
			ck_assert_uint_ge(counted[t], least);
			ck_assert_uint_le(counted[t], least + 1);
			got[t] += counted[t];
		}
	}
	for (unsigned t = 0; t < TARGETS; t++)
		ck_assert_uint_eq(got[t],
				  whole.connections / TARGETS + (t < whole.connections % TARGETS));
}
END_TEST

/* ---- the option, and launchers ---- */

static const char *const *environment; /* "NAME=value" */

static char *fake_getenv(const char *name)
{
	for (size_t i = 0; environment[i]; i++) {
		const size_t len = strlen(name);

		if (strncmp(environment[i], name, len) == 0 && environment[i][len] == '=')
			return (char *)(uintptr_t)environment[i] + len + 1;
	}
	return NULL;
}

/* Reads --part=@text in this environment: "3/8 FROM RUN", or what is wrong. */
static const char *resolved(const char *text, const char *const env[])
{
	static const struct opt rows[] = { OPT(load_config, part, opt_part, "1/1", "a part"),
					   OPT_END };
	static struct opt_set set;
	static char said[OPT_ERROR_MAX];
	static struct load_config config;
	char program[] = "x", option[64];
	char *argv[] = { program, option, NULL }, *none[] = { NULL };

	environment = env;
	set = (struct opt_set){ .program = "x" };
	opt_add(&set, "global", rows, &config);
	snprintf(option, sizeof(option), "--part=%s", text);
	if (opt_load(&set, 2, argv, none) < 0 || part_resolve(&set, &config.part, fake_getenv) < 0)
		return set.error;
	snprintf(said, sizeof(said), "%u/%u %s %s", config.part.number, config.part.count,
		 config.part.from, config.part.run);
	return said;
}

static const struct {
	const char *text, *env[5], *says;
} cases[] = {
	{ "3/8", { "OMPI_COMM_WORLD_RANK=1", "OMPI_COMM_WORLD_SIZE=2" }, "3/8  " },
	{ "1/1", { NULL }, "1/1  " },
	{ "auto",
	  { "OMPI_COMM_WORLD_RANK=1", "OMPI_COMM_WORLD_SIZE=2", "PMIX_NAMESPACE=77",
	    "SLURM_PROCID=0" },
	  "2/2 OMPI_COMM_WORLD_RANK 77" },
	{ "auto", { "PMI_RANK=0", "PMI_SIZE=5" }, "1/5 PMI_RANK " },
	{ "auto",
	  { "SLURM_PROCID=3", "SLURM_STEP_NUM_TASKS=4", "SLURM_JOB_ID=12", "SLURM_STEP_ID=0" },
	  "4/4 SLURM_PROCID 12.0" },
	{ "auto/9", { "JOB_COMPLETION_INDEX=8" }, "9/9 JOB_COMPLETION_INDEX " },
	{ "auto/9", { "PMIX_RANK=0" }, "1/9 PMIX_RANK " },
	{ "auto/2", { "PMI_RANK=0", "PMI_SIZE=2" }, "1/2 PMI_RANK " },
	{ "auto/3", { "PMI_RANK=0", "PMI_SIZE=2" }, "--part: auto/3, but PMI_SIZE is 2" },
	{ "auto",
	  { "JOB_COMPLETION_INDEX=8" },
	  "--part: JOB_COMPLETION_INDEX does not say how many parts there are: auto/N" },
	{ "auto/2", { "PMIX_RANK=2" }, "--part: PMIX_RANK is 2, counted from 0, of 2" },
	{ "auto", { "PMI_RANK=x", "PMI_SIZE=2" }, "--part: PMI_RANK is 'x', which is none from 0" },
	{ "auto", { "PMI_RANK=-1", "PMI_SIZE=2" }, "--part: PMI_RANK is '-1', which is none" },
	{ "auto", { "PMI_RANK=1", "PMI_SIZE=" }, "--part: PMI_SIZE is '', which is none" },
	{ "auto", { NULL }, "--part: no launcher has set OMPI_COMM_WORLD_RANK, " },
	{ "0/8", { NULL }, "--part: '0/8' must be K/N" },
	{ "9/8", { NULL }, "--part: '9/8' must be K/N" },
	{ "3", { NULL }, "--part: '3' must be K/N" },
	{ "3/", { NULL }, "--part: '3/' must be K/N" },
	{ "1/100001", { NULL }, "--part: '1/100001' must be K/N" },
	{ "auto/0", { NULL }, "--part: 'auto/0' must be K/N" },
};

START_TEST(a_part_is_what_the_option_or_the_launcher_says)
{
	const char *says = resolved(cases[_i].text, cases[_i].env);

	ck_assert_msg(strncmp(says, cases[_i].says, strlen(cases[_i].says)) == 0, "%s, not %s",
		      says, cases[_i].says);
}
END_TEST

Suite *part_suite(void)
{
	Suite *s = suite_create("part");
	TCase *t = tcase_create("part");

	tcase_add_loop_test(t, shares_add_up_and_differ_by_one_at_most, 0, ARRAY_LEN(loads));
	tcase_add_loop_test(t, every_connection_has_a_place_of_its_own, 0, ARRAY_LEN(loads));
	tcase_add_loop_test(t, targets_get_the_same_from_each_part_and_from_all, 0,
			    ARRAY_LEN(loads));
	tcase_add_loop_test(t, a_part_is_what_the_option_or_the_launcher_says, 0, ARRAY_LEN(cases));
	suite_add_tcase(s, t);
	return s;
}
