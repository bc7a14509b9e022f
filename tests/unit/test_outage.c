/* SPDX-License-Identifier: MIT
 * test_outage: when an outage opens, what it counts, and when service is back. The times are ours.
 */
#include "echoload/watch/outage.h"

#include <string.h>

#include "echo/base/base.h"

#include "suites.h"

enum { SEATS = 10, SOURCES = 2 };

static const int64_t start = SEC(1000), stall = SEC(1);

static struct outage_watch o;
static struct outage_seat seats[SEATS];

static void setup(void)
{
	memset(seats, 0, sizeof(seats));
	ck_assert_int_eq(outage_init(&o, SEATS, SOURCES, stall), 0);
	outage_start(&o, start);
}

static void teardown(void)
{
	outage_fini(&o);
}

static int64_t ms(int64_t n)
{
	return start + MSEC(n);
}

/* What load.c does with an echo in good times; it still owes. */
static void echo(unsigned worker, int64_t at_ns)
{
	atomic_store(&o.workers[worker].last_echo_ns, at_ns);
	atomic_store(&o.workers[worker].waiting_since_ns, at_ns);
}

/* All workers look for silence, the first one last. Returns when that one looks again. */
static int64_t look(int64_t at_ns)
{
	int64_t again_ns = 0;

	for (unsigned i = SOURCES; i-- > 0;)
		again_ns = outage_check_stall(&o, &o.workers[i], at_ns);
	return again_ns;
}

/* The first @count seats end in errors at that time, each with one message lost. */
static void errors(unsigned count, int64_t at_ns)
{
	for (unsigned i = 0; i < count; i++)
		outage_error(&o, &seats[i], at_ns, 1);
}

/* Seats [from, to) echo again what they sent just then. */
static void heal(unsigned from, unsigned to, int64_t at_ns)
{
	for (unsigned i = from; i < to && outage_open(&o); i++)
		outage_echo(&o, &seats[i], at_ns, at_ns);
}

START_TEST(errors_of_half_of_the_connections_open_it)
{
	echo(0, ms(500));
	errors(4, ms(600));
	ck_assert_uint_eq(outage_open(&o), 0);
	outage_error(&o, &seats[4], ms(700), 1);
	ck_assert_uint_eq(outage_open(&o), 1);
	ck_assert_int_eq(o.list[0].begin_ns, ms(500));
	ck_assert_int_eq(o.list[0].noticed_ns, ms(700));
	ck_assert_int_eq(o.list[0].first_success_ns, -1);
	ck_assert_int_eq(o.list[0].recovered_ns, -1);
}
END_TEST

START_TEST(half_of_an_odd_number_is_rounded_up)
{
	struct outage_watch odd;
	struct outage_seat three[3] = { 0 };

	ck_assert_int_eq(outage_init(&odd, 3, 1, stall), 0);
	outage_start(&odd, start);
	outage_error(&odd, &three[0], ms(1), 0);
	ck_assert_uint_eq(outage_open(&odd), 0);
	outage_error(&odd, &three[1], ms(2), 0);
	ck_assert_uint_eq(outage_open(&odd), 1);
	outage_fini(&odd);
}
END_TEST

START_TEST(a_single_connection_is_more_than_half)
{
	struct outage_watch one;
	struct outage_seat seat = { 0 };

	ck_assert_int_eq(outage_init(&one, 1, 1, stall), 0);
	outage_start(&one, start);
	outage_error(&one, &seat, ms(1), 3);
	ck_assert_uint_eq(outage_open(&one), 1);
	outage_echo(&one, &seat, ms(5), ms(6));
	ck_assert_uint_eq(outage_open(&one), 0);
	ck_assert_int_eq(one.list[0].recovered_ns, ms(6));
	ck_assert_uint_eq(one.list[0].messages_lost, 3);
	outage_fini(&one);
}
END_TEST

START_TEST(errors_that_are_far_apart_open_none)
{
	for (unsigned i = 0; i < SEATS; i++)
		outage_error(&o, &seats[i], ms(300 * (int64_t)i), 1);
	ck_assert_uint_eq(outage_open(&o), 0);
	ck_assert_uint_eq(o.count, 0);
}
END_TEST

START_TEST(errors_within_exactly_the_stall_time_open_one)
{
	errors(4, ms(1000));
	outage_error(&o, &seats[4], ms(2000), 0);
	ck_assert_uint_eq(outage_open(&o), 1);
}
END_TEST

START_TEST(a_connection_that_fails_again_and_again_is_one)
{
	for (int64_t i = 0; i < 100; i++)
		outage_error(&o, &seats[0], ms(10 * i), 0);
	ck_assert_uint_eq(outage_open(&o), 0);
}
END_TEST

START_TEST(the_begin_is_the_last_echo_before_the_first_of_its_errors)
{
	echo(0, ms(100));
	errors(3, ms(200));
	echo(1, ms(250)); /* of a connection that is still alive */
	for (unsigned i = 3; i < 5; i++)
		outage_error(&o, &seats[i], ms(300), 1);
	ck_assert_int_eq(o.list[0].begin_ns, ms(100));
}
END_TEST

START_TEST(without_an_echo_it_begins_with_the_run)
{
	errors(5, ms(3));
	ck_assert_int_eq(o.list[0].begin_ns, start);
}
END_TEST

START_TEST(it_is_over_when_every_connection_has_echoed_again)
{
	errors(SEATS, ms(100));
	heal(0, 1, ms(400));
	ck_assert_int_eq(o.list[0].first_success_ns, ms(400));
	heal(0, SEATS - 1, ms(500));
	heal(0, SEATS - 1, ms(600));
	ck_assert_uint_eq(outage_open(&o), 1);
	heal(SEATS - 1, SEATS, ms(700));
	ck_assert_uint_eq(outage_open(&o), 0);
	ck_assert_int_eq(o.list[0].recovered_ns, ms(700));
	ck_assert_int_eq(o.list[0].first_success_ns, ms(400));
	ck_assert_uint_eq(o.list[0].messages_lost, SEATS);
}
END_TEST

START_TEST(one_that_has_recovered_and_fails_again_is_not_healthy)
{
	errors(SEATS, ms(100));
	heal(0, SEATS - 1, ms(400));
	outage_error(&o, &seats[0], ms(450), 1);
	outage_closed(&o, &seats[1], ms(450));
	heal(SEATS - 1, SEATS, ms(500));
	ck_assert_uint_eq(outage_open(&o), 1);
	heal(0, 2, ms(600));
	ck_assert_uint_eq(outage_open(&o), 0);
	ck_assert_uint_eq(o.list[0].messages_lost, SEATS + 1);
}
END_TEST

/* It is too few for an outage of this part, but the whole load may have one. */
START_TEST(what_is_lost_without_an_outage_is_kept_for_the_whole_load)
{
	const struct service_row *r = o.service.rows;

	echo(0, ms(99));
	errors(2, ms(100));
	outage_error(&o, &seats[0], ms(110), 0); /* again within the stall time */
	outage_closed(&o, &seats[2], ms(120));
	ck_assert_uint_eq(outage_open(&o), 0);
	outage_echo(&o, &seats[0], ms(130), ms(140));
	ck_assert(!seats[0].down && seats[1].down && seats[2].down);
	ck_assert_uint_eq(o.service.count, 4);
	ck_assert(r[0].errors == 2 && r[0].messages_lost == 2 && r[0].down == 2);
	ck_assert_int_eq(r[0].last_echo_ns, ms(99));
	ck_assert(r[1].errors == 0 && r[1].down == 2);
	ck_assert(r[2].errors == 0 && r[2].down == 3);
	ck_assert(r[3].down == 2 && r[3].back_ns == ms(140));
}
END_TEST

START_TEST(an_echo_under_way_when_connections_died_is_no_success)
{
	errors(5, ms(100));
	outage_echo(&o, &seats[9], ms(50), ms(120));
	ck_assert_int_eq(o.list[0].first_success_ns, -1);
	outage_echo(&o, &seats[9], ms(121), ms(122));
	ck_assert_int_eq(o.list[0].first_success_ns, ms(122));
}
END_TEST

START_TEST(silence_opens_one_without_an_error)
{
	echo(0, ms(200));
	echo(1, ms(300));
	ck_assert_int_eq(look(ms(1000)), ms(1300));
	ck_assert_uint_eq(outage_open(&o), 0);
	ck_assert_int_eq(look(ms(1300)), ms(2300));
	ck_assert_uint_eq(outage_open(&o), 1);
	ck_assert_int_eq(o.list[0].begin_ns, ms(300));
	ck_assert_int_eq(o.list[0].noticed_ns, ms(1300));
	/* what was sent before comes back now: that is success */
	for (unsigned i = 0; i < SEATS; i++)
		outage_echo(&o, &seats[i], ms(310), ms(1500));
	ck_assert_uint_eq(outage_open(&o), 0);
	ck_assert_int_eq(o.list[0].recovered_ns, ms(1500));
	ck_assert_uint_eq(o.list[0].messages_lost, 0);
}
END_TEST

START_TEST(it_is_noticed_when_the_time_was_over_though_we_look_late)
{
	echo(0, ms(300));
	look(ms(9000));
	ck_assert_int_eq(o.list[0].noticed_ns, ms(1300));
}
END_TEST

START_TEST(silence_is_none_when_nothing_is_owed)
{
	ck_assert_int_eq(look(ms(5000)), ms(6000));
	ck_assert_uint_eq(outage_open(&o), 0);
	atomic_store(&o.workers[0].waiting_since_ns, ms(5500));
	ck_assert_int_eq(look(ms(6000)), ms(6500));
	ck_assert_uint_eq(outage_open(&o), 0);
	look(ms(6500));
	ck_assert_uint_eq(outage_open(&o), 1);
	ck_assert_int_eq(o.list[0].begin_ns, start);
}
END_TEST

START_TEST(an_echo_to_any_worker_breaks_the_silence)
{
	echo(0, ms(100));
	echo(1, ms(900));
	look(ms(1200));
	ck_assert_uint_eq(outage_open(&o), 0);
}
END_TEST

START_TEST(bytes_of_an_echo_that_is_not_complete_are_no_silence)
{
	echo(0, ms(100));
	atomic_store(&o.workers[1].last_progress_ns, ms(600));
	ck_assert_int_eq(look(ms(1100)), ms(1600));
	ck_assert_uint_eq(outage_open(&o), 0);
	look(ms(1600));
	ck_assert_uint_eq(outage_open(&o), 1);
	ck_assert_int_eq(o.list[0].begin_ns, ms(600));
	ck_assert_int_eq(o.list[0].noticed_ns, ms(1600));
}
END_TEST

/* After a pause of all: what one waits for may lie unread with the other. */
START_TEST(silence_is_found_by_the_last_worker_that_looks)
{
	echo(0, ms(100));
	ck_assert_int_eq(outage_check_stall(&o, &o.workers[0], ms(1200)), ms(1201));
	ck_assert_uint_eq(outage_open(&o), 0);
	echo(1, ms(1201));
	ck_assert_int_eq(outage_check_stall(&o, &o.workers[1], ms(1201)), ms(2201));
	ck_assert_int_eq(outage_check_stall(&o, &o.workers[0], ms(1201)), ms(2201));
	ck_assert_uint_eq(outage_open(&o), 0);
	outage_retire(&o, &o.workers[1]);
	outage_check_stall(&o, &o.workers[0], ms(2201));
	ck_assert_uint_eq(outage_open(&o), 1);
	ck_assert_int_eq(o.list[0].begin_ns, ms(1201));
}
END_TEST

START_TEST(silence_counts_from_when_we_run_again)
{
	echo(0, ms(100));
	outage_resume(&o, ms(3000));
	outage_resume(&o, ms(2000)); /* another worker noticed later */
	ck_assert_int_eq(look(ms(3000)), ms(4000));
	ck_assert_uint_eq(outage_open(&o), 0);
	look(ms(4000));
	ck_assert_int_eq(o.list[0].begin_ns, ms(3000));
	ck_assert_int_eq(o.list[0].noticed_ns, ms(4000));
}
END_TEST

START_TEST(errors_since_the_last_echo_belong_to_a_silent_one)
{
	outage_error(&o, &seats[SEATS - 1], ms(400), 1); /* before it: not its own */
	echo(0, ms(500));
	errors(3, ms(600)); /* too few to open it themselves */
	look(ms(1500));
	ck_assert_uint_eq(outage_open(&o), 1);
	ck_assert_int_eq(o.list[0].begin_ns, ms(500));
	outage_error(&o, &seats[3], ms(1600), 1);
	outage_finish(&o);
	ck_assert_uint_eq(o.list[0].messages_lost, 4);
}
END_TEST

START_TEST(errors_during_a_silent_one_belong_to_it)
{
	errors(2, ms(50)); /* before the last echo: not its own */
	echo(0, ms(100));
	look(ms(1100));
	ck_assert_uint_eq(outage_open(&o), 1);
	errors(SEATS, ms(1500));
	ck_assert_uint_eq(o.count, 1);
	heal(0, SEATS, ms(2000));
	ck_assert_uint_eq(outage_open(&o), 0);
	ck_assert_uint_eq(o.list[0].messages_lost, SEATS);
}
END_TEST

START_TEST(errors_of_an_outage_do_not_open_the_next_one)
{
	errors(SEATS, ms(100));
	heal(0, SEATS, ms(200));
	ck_assert_uint_eq(outage_open(&o), 0);
	outage_error(&o, &seats[0], ms(250), 0);
	ck_assert_uint_eq(outage_open(&o), 0);
}
END_TEST

START_TEST(the_next_outage_is_another_one)
{
	for (int64_t i = 0; i < 3; i++) {
		echo(0, ms(5000 * i + 50));
		errors(SEATS, ms(5000 * i + 100));
		ck_assert_uint_eq(outage_open(&o), (uint32_t)i + 1);
		heal(0, SEATS, ms(5000 * i + 200));
		ck_assert_uint_eq(outage_open(&o), 0);
		ck_assert_int_eq(o.list[i].begin_ns, ms(5000 * i + 50));
		ck_assert_uint_eq(o.list[i].messages_lost, SEATS);
	}
	ck_assert_uint_eq(o.count, 3);
}
END_TEST

START_TEST(those_that_find_no_room_in_the_list_are_counted)
{
	enum { MORE = 7 };

	for (int64_t i = 0; i < OUTAGES_MAX + MORE; i++) {
		errors(SEATS, ms(5000 * i + 100));
		heal(0, SEATS, ms(5000 * i + 200));
		ck_assert_uint_eq(outage_open(&o), 0);
	}
	ck_assert_uint_eq(o.count, OUTAGES_MAX);
	ck_assert_uint_eq(o.uncounted, MORE);
	ck_assert_int_eq(o.list[OUTAGES_MAX - 1].noticed_ns, ms(5000 * (OUTAGES_MAX - 1) + 100));
}
END_TEST

START_TEST(one_that_never_ends_is_closed_with_the_run)
{
	errors(SEATS, ms(100));
	heal(0, 3, ms(200));
	outage_finish(&o);
	ck_assert_uint_eq(outage_open(&o), 0);
	ck_assert_uint_eq(o.list[0].messages_lost, SEATS);
	ck_assert_int_eq(o.list[0].first_success_ns, ms(200));
	ck_assert_int_eq(o.list[0].recovered_ns, -1);
	outage_finish(&o);
	ck_assert_uint_eq(o.count, 1);
}
END_TEST

START_TEST(all_of_them_are_summed_up_while_they_last_and_afterwards)
{
	struct outage_summary s;

	outage_summarize(&o, ms(50), &s);
	ck_assert(s.count == 0 && s.ns == 0 && !s.open);
	errors(SEATS, ms(100));
	outage_summarize(&o, ms(300), &s);
	ck_assert(s.count == 1 && s.ns == MSEC(300) && s.open); /* it began with the run */
	heal(0, SEATS, ms(400));
	outage_summarize(&o, ms(900), &s);
	ck_assert(s.count == 1 && s.ns == MSEC(400) && !s.open);
	echo(0, ms(4000));
	errors(SEATS, ms(5000));
	outage_finish(&o);
	outage_summarize(&o, ms(6000), &s);
	ck_assert(s.count == 2 && s.ns == MSEC(400) + MSEC(2000) &&
		  s.open); /* it never recovered */
}
END_TEST

START_TEST(times_are_shifted_to_those_of_the_run_and_never_stays_never)
{
	struct outage at;

	ck_assert(!outage_nth(&o, 0, &at));
	errors(SEATS, ms(100));
	ck_assert(outage_nth(&o, 0, &at));
	outage_shift(&at, start);
	ck_assert_int_eq(at.begin_ns, 0);
	ck_assert_int_eq(at.noticed_ns, MSEC(100));
	ck_assert_int_eq(at.first_success_ns, -1);
	ck_assert_int_eq(at.recovered_ns, -1);
}
END_TEST

Suite *outage_suite(void)
{
	Suite *s = suite_create("outage");
	TCase *tc = tcase_create("outage");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, errors_of_half_of_the_connections_open_it);
	tcase_add_test(tc, half_of_an_odd_number_is_rounded_up);
	tcase_add_test(tc, a_single_connection_is_more_than_half);
	tcase_add_test(tc, errors_that_are_far_apart_open_none);
	tcase_add_test(tc, errors_within_exactly_the_stall_time_open_one);
	tcase_add_test(tc, a_connection_that_fails_again_and_again_is_one);
	tcase_add_test(tc, the_begin_is_the_last_echo_before_the_first_of_its_errors);
	tcase_add_test(tc, without_an_echo_it_begins_with_the_run);
	tcase_add_test(tc, it_is_over_when_every_connection_has_echoed_again);
	tcase_add_test(tc, one_that_has_recovered_and_fails_again_is_not_healthy);
	tcase_add_test(tc, what_is_lost_without_an_outage_is_kept_for_the_whole_load);
	tcase_add_test(tc, an_echo_under_way_when_connections_died_is_no_success);
	tcase_add_test(tc, silence_opens_one_without_an_error);
	tcase_add_test(tc, it_is_noticed_when_the_time_was_over_though_we_look_late);
	tcase_add_test(tc, silence_is_none_when_nothing_is_owed);
	tcase_add_test(tc, an_echo_to_any_worker_breaks_the_silence);
	tcase_add_test(tc, bytes_of_an_echo_that_is_not_complete_are_no_silence);
	tcase_add_test(tc, silence_is_found_by_the_last_worker_that_looks);
	tcase_add_test(tc, silence_counts_from_when_we_run_again);
	tcase_add_test(tc, errors_since_the_last_echo_belong_to_a_silent_one);
	tcase_add_test(tc, errors_during_a_silent_one_belong_to_it);
	tcase_add_test(tc, errors_of_an_outage_do_not_open_the_next_one);
	tcase_add_test(tc, the_next_outage_is_another_one);
	tcase_add_test(tc, those_that_find_no_room_in_the_list_are_counted);
	tcase_add_test(tc, one_that_never_ends_is_closed_with_the_run);
	tcase_add_test(tc, all_of_them_are_summed_up_while_they_last_and_afterwards);
	tcase_add_test(tc, times_are_shifted_to_those_of_the_run_and_never_stays_never);
	suite_add_tcase(s, tc);
	return s;
}
