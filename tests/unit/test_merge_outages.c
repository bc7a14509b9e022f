/* SPDX-License-Identifier: MIT
 * test_merge_outages: when a whole load has an outage, by what its parts tell. Four parts of 10
 * connections each; the times are ours, in milliseconds.
 */
#include <string.h>

#include "echo/base/base.h"
#include "echoload/tools/merge_private.h"

#include "suites.h"

enum { PARTS = 4, EACH = 10, ROWS = 8 };

static struct merge m;
static struct merge_part parts[PARTS];
static struct service_row rows[PARTS][ROWS];
static struct outage own[PARTS][2], found[OUTAGES_MAX];

static void setup(void)
{
	memset(parts, 0, sizeof(parts));
	m = (struct merge){ .parts = parts, .count = PARTS };
	m.config.connections = PARTS * EACH;
	m.config.stall = SEC(1);
	for (unsigned i = 0; i < PARTS; i++) {
		parts[i].config.connections = EACH;
		parts[i].service = rows[i];
		parts[i].outages = own[i];
		parts[i].result.outages = own[i];
		parts[i].result.duration_ns = SEC(60);
	}
}

/* The last echo before was at the last full second. */
static void row(unsigned part, int64_t ms, uint64_t errors, uint32_t down)
{
	struct merge_part *p = &parts[part];

	rows[part][p->service_count++] = (struct service_row){
		.first_ns = MSEC(ms),
		.last_ns = MSEC(ms),
		.errors = errors,
		.messages_lost = errors,
		.down = down,
		.last_echo_ns = errors > 0 ? MSEC(ms - ms % 1000) - USEC(100 + part) : -1,
		.back_ns = errors > 0 ? -1 : MSEC(ms),
	};
}

static void outage(unsigned part, int64_t begin, int64_t noticed, int64_t first, int64_t recovered,
		   bool by_silence)
{
	own[part][parts[part].result.outage_count++] =
		(struct outage){ .begin_ns = MSEC(begin),
				 .noticed_ns = MSEC(noticed),
				 .first_success_ns = first < 0 ? -1 : MSEC(first),
				 .recovered_ns = recovered < 0 ? -1 : MSEC(recovered),
				 .by_silence = by_silence };
}

START_TEST(of_one_part_alone_it_is_none)
{
	outage(0, 1000, 1000, 1500, 2000, false);
	row(0, 1000, EACH, EACH);
	row(0, 2000, 0, 0);
	row(1, 1000, EACH - 1, EACH - 1); /* 19 of 40 */
	ck_assert_int_eq(merge_outages_find(&m, found), 0);
}
END_TEST

/* None of them has lost half within a second: each alone saw nothing. */
START_TEST(a_little_of_all_parts_is_one)
{
	for (unsigned i = 0; i < PARTS; i++) {
		row(i, 1000 + i, 5, 5);
		row(i, 3000 + i, 0, 0);
	}
	ck_assert_int_eq(merge_outages_find(&m, found), 1);
	ck_assert_int_eq(found[0].noticed_ns, MSEC(1003));
	ck_assert_int_eq(found[0].begin_ns, MSEC(1000) - USEC(100));
	ck_assert_int_eq(found[0].first_success_ns, MSEC(1003)); /* and went on */
	ck_assert_int_eq(found[0].recovered_ns, MSEC(3003));
	ck_assert_uint_eq(found[0].messages_lost, 20);
	ck_assert(!found[0].by_silence);
}
END_TEST

START_TEST(errors_that_are_further_apart_are_none)
{
	for (unsigned i = 0; i < PARTS; i++) {
		row(i, 1000 + 400 * i, 5, 5);
		row(i, 9000, 0, 0);
	}
	ck_assert_int_eq(merge_outages_find(&m, found), 0);
}
END_TEST

/* The server is killed and comes back: all parts see it. */
START_TEST(of_all_parts_it_is_one_until_the_last_has_recovered)
{
	for (unsigned i = 0; i < PARTS; i++) {
		outage(i, 1000, 1001 + i, 1400 + 10 * i, 1500 + 10 * i, false);
		row(i, 1001 + i, EACH, EACH);
		row(i, 1500 + 10 * i, 0, 0);
	}
	ck_assert_int_eq(merge_outages_find(&m, found), 1);
	ck_assert_int_eq(found[0].begin_ns, MSEC(1000) - USEC(100)); /* the last of all */
	ck_assert_int_eq(found[0].noticed_ns, MSEC(1002));           /* 20 of 40 */
	ck_assert_int_eq(found[0].first_success_ns, MSEC(1400));
	ck_assert_int_eq(found[0].recovered_ns, MSEC(1530));
	ck_assert_uint_eq(found[0].messages_lost, PARTS * EACH);
}
END_TEST

START_TEST(one_that_never_came_back_never_recovered)
{
	for (unsigned i = 0; i < PARTS; i++) {
		outage(i, 1000, 1001, 1400, i == 2 ? -1 : 1500, false);
		row(i, 1001, EACH, EACH);
		row(i, 1500, 0, i == 2 ? 1 : 0);
	}
	ck_assert_int_eq(merge_outages_find(&m, found), 1);
	ck_assert_int_eq(found[0].first_success_ns, MSEC(1400));
	ck_assert_int_eq(found[0].recovered_ns, -1);
}
END_TEST

START_TEST(there_may_be_several)
{
	for (unsigned n = 0; n < 3; n++) {
		for (unsigned i = 0; i < PARTS; i++) {
			row(i, 1000 + 5000 * n, 6, 6);
			row(i, 2000 + 5000 * n, 0, 0);
		}
	}
	ck_assert_int_eq(merge_outages_find(&m, found), 3);
	ck_assert_int_eq(found[2].noticed_ns, MSEC(11000));
	ck_assert_int_eq(found[2].recovered_ns, MSEC(12000));
}
END_TEST

START_TEST(silence_of_all_parts_is_one)
{
	for (unsigned i = 0; i < PARTS; i++)
		outage(i, 1000 + i, 2000 + 10 * i, 4000 + i, 4100 + i, true);
	ck_assert_int_eq(merge_outages_find(&m, found), 1);
	ck_assert(found[0].by_silence);
	ck_assert_int_eq(found[0].begin_ns, MSEC(1003)); /* the last sign of any */
	ck_assert_int_eq(found[0].noticed_ns, MSEC(2030));
	ck_assert_int_eq(found[0].first_success_ns, MSEC(4000));
	ck_assert_int_eq(found[0].recovered_ns, MSEC(4103));
}
END_TEST

START_TEST(silence_of_all_but_one_is_none)
{
	for (unsigned i = 1; i < PARTS; i++)
		outage(i, 1000, 2000, 4000, 4100, true);
	ck_assert_int_eq(merge_outages_find(&m, found), 0);
}
END_TEST

/* One that has lost all connections is owed nothing, and one that has ended neither. */
START_TEST(who_is_owed_nothing_does_not_keep_the_others_from_silence)
{
	row(0, 900, EACH, EACH);
	outage(0, 890, 900, -1, -1, false);
	parts[1].result.duration_ns = MSEC(1500);
	for (unsigned i = 2; i < PARTS; i++)
		outage(i, 1000, 2000, -1, -1, true);
	ck_assert_int_eq(merge_outages_find(&m, found), 1);
	ck_assert_int_eq(found[0].noticed_ns, MSEC(2000));
	ck_assert_int_eq(found[0].first_success_ns, -1);
	ck_assert_int_eq(found[0].recovered_ns, -1);
}
END_TEST

START_TEST(rows_that_are_longer_than_the_stall_time_do_no_harm)
{
	m.config.stall = MSEC(1);
	rows[0][0] = (struct service_row){ .last_ns = SEC(10), .errors = 19, .down = 5 };
	parts[0].service_count = 1;
	ck_assert_int_eq(merge_outages_find(&m, found), 0);
	rows[0][0].errors = 20;
	ck_assert_int_eq(merge_outages_find(&m, found), 1);
}
END_TEST

Suite *merge_outages_suite(void)
{
	Suite *s = suite_create("merge_outages");
	TCase *t = tcase_create("merge_outages");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, of_one_part_alone_it_is_none);
	tcase_add_test(t, a_little_of_all_parts_is_one);
	tcase_add_test(t, errors_that_are_further_apart_are_none);
	tcase_add_test(t, of_all_parts_it_is_one_until_the_last_has_recovered);
	tcase_add_test(t, one_that_never_came_back_never_recovered);
	tcase_add_test(t, there_may_be_several);
	tcase_add_test(t, silence_of_all_parts_is_one);
	tcase_add_test(t, silence_of_all_but_one_is_none);
	tcase_add_test(t, who_is_owed_nothing_does_not_keep_the_others_from_silence);
	tcase_add_test(t, rows_that_are_longer_than_the_stall_time_do_no_harm);
	suite_add_tcase(s, t);
	return s;
}
