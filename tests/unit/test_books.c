/* SPDX-License-Identifier: MIT
 * test_books: nothing is counted twice or forgotten, and books that are wrong are found out.
 */
#include "echoload/result/books.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"

#include "suites.h"

static struct books books;

static void setup(void)
{
	memset(&books, 0, sizeof(books));
}

static void end(struct books *b, enum cause cause, enum phase at, int err)
{
	const struct outcome o = { .cause = cause,
				   .at = at,
				   .err = err,
				   .count = 1,
				   .messages_lost = 2,
				   .first_ns = 10,
				   .last_ns = 20 };

	books_outcome(b, &o);
}

START_TEST(ends_of_one_kind_share_a_row_with_first_and_last_time)
{
	struct outcome early = { .cause = CAUSE_RESET,
				 .at = PHASE_AWAITING,
				 .err = ECONNRESET,
				 .count = 3,
				 .messages_lost = 5,
				 .first_ns = 4,
				 .last_ns = 12 };

	end(&books, CAUSE_RESET, PHASE_AWAITING, ECONNRESET);
	books_outcome(&books, &early);
	ck_assert_uint_eq(books.outcome_count, 1);
	ck_assert_uint_eq(books.outcomes[0].count, 4);
	ck_assert_uint_eq(books.outcomes[0].messages_lost, 7);
	ck_assert_int_eq(books.outcomes[0].first_ns, 4);
	ck_assert_int_eq(books.outcomes[0].last_ns, 20);
}
END_TEST

START_TEST(cause_phase_and_errno_tell_rows_apart)
{
	end(&books, CAUSE_RESET, PHASE_AWAITING, ECONNRESET);
	end(&books, CAUSE_RESET, PHASE_SENDING, ECONNRESET);
	end(&books, CAUSE_RESET, PHASE_SENDING, EPIPE);
	end(&books, CAUSE_EOF, PHASE_SENDING, EPIPE);
	ck_assert_uint_eq(books.outcome_count, 4);
}
END_TEST

START_TEST(rows_that_find_no_room_are_other_in_their_own_phase)
{
	uint64_t connecting = 0, sending = 0, lost = 0;

	for (int err = 1; err <= BOOKS_OUTCOMES_MAX; err++) {
		end(&books, CAUSE_OTHER, PHASE_CONNECTING, err);
		end(&books, CAUSE_OTHER, PHASE_SENDING, err);
	}
	ck_assert_uint_le(books.outcome_count, BOOKS_OUTCOMES_MAX);
	for (unsigned i = 0; i < books.outcome_count; i++) {
		const struct outcome *o = &books.outcomes[i];

		*(o->at == PHASE_CONNECTING ? &connecting : &sending) += o->count;
		lost += o->messages_lost;
	}
	ck_assert_uint_eq(connecting, BOOKS_OUTCOMES_MAX);
	ck_assert_uint_eq(sending, BOOKS_OUTCOMES_MAX);
	ck_assert_uint_eq(lost, 4 * BOOKS_OUTCOMES_MAX);
}
END_TEST

START_TEST(every_phase_has_room_for_the_rest_of_a_full_table)
{
	for (int err = 1; err <= BOOKS_OUTCOMES_MAX; err++)
		end(&books, CAUSE_OTHER, PHASE_CONNECTING, err);
	for (unsigned at = 0; at < PHASE_COUNT; at++)
		end(&books, CAUSE_RESET, at, 4000);
	ck_assert_uint_eq(books.outcome_count, BOOKS_OUTCOMES_MAX);
}
END_TEST

START_TEST(reports_list_frequent_ends_first_and_finished_last)
{
	end(&books, CAUSE_FINISHED, PHASE_CLOSING, 0);
	end(&books, CAUSE_FINISHED, PHASE_CLOSING, 0);
	end(&books, CAUSE_EOF, PHASE_IDLE, 0);
	end(&books, CAUSE_FINISHED, PHASE_IDLE, 0);
	end(&books, CAUSE_RESET, PHASE_IDLE, ECONNRESET);
	end(&books, CAUSE_RESET, PHASE_IDLE, ECONNRESET);
	books_sort(&books);
	ck_assert_int_eq(books.outcomes[0].cause, CAUSE_RESET);
	ck_assert_int_eq(books.outcomes[1].cause, CAUSE_EOF);
	ck_assert_int_eq(books.outcomes[2].at, PHASE_CLOSING);
	ck_assert_int_eq(books.outcomes[3].at, PHASE_IDLE);
	ck_assert_uint_eq(books_errors(&books), 3);
}
END_TEST

/* One end of each kind, from the one that stands first in a report: what differs from the end above
 * it is what decides, and later keys would say the opposite. */
static const struct outcome in_order[] = {
	{ CAUSE_SLOW, PHASE_CLOSING, 10, .count = 3, .first_ns = 9, .last_ns = 9 },
	{ CAUSE_SLOW, PHASE_CLOSING, 9, .count = 2, .first_ns = 5, .last_ns = 9 },
	{ CAUSE_EOF, PHASE_CLOSING, 9, .count = 2, .first_ns = 6, .last_ns = 9 },
	{ CAUSE_RESET, PHASE_IDLE, 9, .count = 2, .first_ns = 6, .last_ns = 9 },
	{ CAUSE_RESET, PHASE_SENDING, 7, .count = 2, .first_ns = 6, .last_ns = 9 },
	{ CAUSE_RESET, PHASE_SENDING, 8, .count = 2, .first_ns = 6, .last_ns = 9 },
	{ CAUSE_FINISHED, PHASE_IDLE, 0, .count = 4, .first_ns = 1, .last_ns = 9 },
};

START_TEST(equal_books_are_always_in_the_same_order)
{
	for (size_t shift = 0; shift < ARRAY_LEN(in_order); shift++) {
		setup();
		for (size_t i = 0; i < ARRAY_LEN(in_order); i++)
			books_outcome(&books, &in_order[(shift + i) % ARRAY_LEN(in_order)]);
		books_sort(&books);
		for (size_t i = 0; i < ARRAY_LEN(in_order); i++) {
			ck_assert_int_eq(books.outcomes[i].cause, in_order[i].cause);
			ck_assert_int_eq(books.outcomes[i].at, in_order[i].at);
			ck_assert_int_eq(books.outcomes[i].err, in_order[i].err);
			ck_assert_uint_eq(books.outcomes[i].count, in_order[i].count);
		}
	}
}
END_TEST

/* Books in which every number is another one. */
static void fill(struct books *b, uint64_t seed)
{
	uint64_t *const numbers[] = {
		&b->attempts,          &b->established,   &b->failed,
		&b->connecting_at_end, &b->open_at_end,   &b->all.sent,
		&b->all.echoed,        &b->all.corrupt,   &b->all.lost,
		&b->all.unfinished,    &b->measured.sent, &b->measured.echoed,
		&b->measured.corrupt,  &b->measured.lost, &b->measured.unfinished,
		&b->planned,           &b->missed,        &b->lost[0],
		&b->lost[1],           &b->lost[2],       &b->lost[3],
		&b->echoed_in_outage,  &b->bytes_sent,    &b->bytes_received,
		&b->bytes_echoed,      &b->bytes_partial, &b->bytes_surplus,
		&b->reached,
	};

	memset(b, 0, sizeof(*b));
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		*numbers[i] = seed * (i + 1);
	b->peak = 5;
}

START_TEST(merged_books_are_the_sum_of_both)
{
	struct books other, sum;

	fill(&books, 3);
	fill(&other, 1000);
	fill(&sum, 1003);
	end(&books, CAUSE_EOF, PHASE_IDLE, 0);
	end(&other, CAUSE_RESET, PHASE_IDLE, 0);
	end(&other, CAUSE_EOF, PHASE_IDLE, 0);
	end(&sum, CAUSE_EOF, PHASE_IDLE, 0);
	end(&sum, CAUSE_RESET, PHASE_IDLE, 0);
	end(&sum, CAUSE_EOF, PHASE_IDLE, 0);
	books_merge(&books, &other);
	ck_assert_mem_eq(&books, &sum, sizeof(sum));
}
END_TEST

START_TEST(merged_books_have_the_highest_peak_and_the_first_corruption)
{
	struct books other = { .peak = 7,
			       .corruption = { .found = true, .connection = 3, .offset = 9 } };
	struct books late = { .peak = 2, .corruption = { .found = true, .connection = 4 } };

	books_merge(&books, &other);
	books_merge(&books, &late);
	ck_assert_uint_eq(books.peak, 7);
	ck_assert_uint_eq(books.corruption.connection, 3);
	ck_assert_uint_eq(books.corruption.offset, 9);
}
END_TEST

START_TEST(merged_books_have_the_last_echo_of_both)
{
	struct books early = { .last_echo_ns = 3 }, late = { .last_echo_ns = 8 };

	books_merge(&books, &late);
	ck_assert_int_eq(books.last_echo_ns, 8);
	books_merge(&books, &early);
	ck_assert_int_eq(books.last_echo_ns, 8);
}
END_TEST

/* 10 attempts: 2 failed, 1 was connecting at the end, 7 established: 5 ended, 2 are open. */
static void balance(struct books *b)
{
	memset(b, 0, sizeof(*b));
	b->attempts = 10;
	b->failed = 2;
	b->connecting_at_end = 1;
	b->established = 7;
	b->open_at_end = 2;
	b->peak = 7;
	for (int i = 0; i < 2; i++)
		end(b, CAUSE_REFUSED, PHASE_CONNECTING, ECONNREFUSED);
	for (int i = 0; i < 5; i++)
		end(b, CAUSE_RESET, PHASE_AWAITING, ECONNRESET);
	b->outcomes[0].messages_lost = 0;
	b->outcomes[1].messages_lost = 10;
	b->all = (struct message_counts){ 100, 80, 3, 10, 7 };
	b->measured = (struct message_counts){ 50, 40, 2, 5, 3 };
	b->planned = 105;
	b->missed = 5;
	b->lost[LOST_UNSENT] = 1;
	b->lost[LOST_PARTIAL] = 2;
	b->lost[LOST_UNACKED] = 3;
	b->lost[LOST_ACKED] = 4;
	b->echoed_in_outage = 12;
	b->bytes_received = 100;
	b->bytes_echoed = 80;
	b->bytes_partial = 15;
	b->bytes_surplus = 5;
}

START_TEST(books_that_balance_pass)
{
	ck_assert_ptr_null(books_check(&books)); /* empty ones */
	balance(&books);
	ck_assert_ptr_null(books_check(&books));
}
END_TEST

/* Where one more breaks which identity. */
static const struct {
	size_t at;
	const char *identity;
} misses[] = {
	{ offsetof(struct books, attempts), "attempts = " },
	{ offsetof(struct books, connecting_at_end), "attempts = " },
	{ offsetof(struct books, outcomes[0].count), "failed = " },
	{ offsetof(struct books, outcomes[1].count), "established = " },
	{ offsetof(struct books, open_at_end), "established = " },
	{ offsetof(struct books, peak), "peak <= " },
	{ offsetof(struct books, planned), "planned = " },
	{ offsetof(struct books, missed), "planned = " },
	{ offsetof(struct books, all.echoed), "sent = " },
	{ offsetof(struct books, all.corrupt), "sent = " },
	{ offsetof(struct books, all.unfinished), "sent = " },
	{ offsetof(struct books, lost[LOST_UNSENT]), "lost = lost_unsent" },
	{ offsetof(struct books, lost[LOST_ACKED]), "lost = lost_unsent" },
	{ offsetof(struct books, outcomes[1].messages_lost), "lost = messages_lost" },
	{ offsetof(struct books, measured.sent), "measured.sent = " },
	{ offsetof(struct books, measured.lost), "measured.sent = " },
	{ offsetof(struct books, bytes_received), "bytes.received = " },
	{ offsetof(struct books, bytes_echoed), "bytes.received = " },
	{ offsetof(struct books, bytes_partial), "bytes.received = " },
	{ offsetof(struct books, bytes_surplus), "bytes.received = " },
};

START_TEST(one_too_many_anywhere_breaks_an_identity)
{
	const char *broken;
	uint64_t n;

	balance(&books);
	memcpy(&n, (char *)&books + misses[_i].at, sizeof(n));
	n++;
	memcpy((char *)&books + misses[_i].at, &n, sizeof(n));
	broken = books_check(&books);
	ck_assert_ptr_nonnull(broken);
	ck_assert_msg(strncmp(broken, misses[_i].identity, strlen(misses[_i].identity)) == 0,
		      "%s instead of %s", broken, misses[_i].identity);
}
END_TEST

/* One more of each than in the whole: sent, echoed, corrupt, lost, unfinished. */
static const struct message_counts too_many[] = {
	{ 101, 101, 0, 0, 0 }, { 81, 81, 0, 0, 0 }, { 4, 0, 4, 0, 0 },
	{ 11, 0, 0, 11, 0 },   { 8, 0, 0, 0, 8 },
};

START_TEST(no_kind_of_message_is_measured_more_often_than_it_came)
{
	balance(&books);
	books.measured = too_many[_i];
	books.echoed_in_outage = 0;
	ck_assert_str_eq(books_check(&books), "measured messages <= all messages");
}
END_TEST

START_TEST(a_full_table_is_read_to_its_end_and_no_further)
{
	for (int err = 1; err <= BOOKS_OUTCOMES_MAX; err++)
		end(&books, CAUSE_OTHER, PHASE_CONNECTING, err);
	for (unsigned at = 0; at < PHASE_COUNT; at++)
		end(&books, CAUSE_RESET, at, 4000);
	ck_assert_uint_eq(books.outcome_count, BOOKS_OUTCOMES_MAX);
	/* what stands behind the table in memory is none of its rows */
	books.corruption = (struct corruption){ .found = true, .connection = 3, .offset = 9 };
	ck_assert_uint_eq(books_errors(&books), BOOKS_OUTCOMES_MAX + PHASE_COUNT);
	books.attempts = BOOKS_OUTCOMES_MAX + PHASE_COUNT;
	books.failed = BOOKS_OUTCOMES_MAX + 1;
	books.established = PHASE_COUNT - 1;
	books.planned = books.all.sent = books.all.lost = books.lost[LOST_UNSENT] =
		2 * (BOOKS_OUTCOMES_MAX + PHASE_COUNT);
	ck_assert_ptr_null(books_check(&books));
}
END_TEST

START_TEST(no_more_is_echoed_in_an_outage_than_is_measured)
{
	balance(&books);
	books.echoed_in_outage = 41;
	ck_assert_str_eq(books_check(&books), "measured.echoed_in_outage <= measured.echoed");
}
END_TEST

Suite *books_suite(void)
{
	Suite *s = suite_create("books");
	TCase *t = tcase_create("books");

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, ends_of_one_kind_share_a_row_with_first_and_last_time);
	tcase_add_test(t, cause_phase_and_errno_tell_rows_apart);
	tcase_add_test(t, rows_that_find_no_room_are_other_in_their_own_phase);
	tcase_add_test(t, every_phase_has_room_for_the_rest_of_a_full_table);
	tcase_add_test(t, reports_list_frequent_ends_first_and_finished_last);
	tcase_add_test(t, equal_books_are_always_in_the_same_order);
	tcase_add_test(t, merged_books_are_the_sum_of_both);
	tcase_add_test(t, merged_books_have_the_highest_peak_and_the_first_corruption);
	tcase_add_test(t, merged_books_have_the_last_echo_of_both);
	tcase_add_test(t, books_that_balance_pass);
	tcase_add_loop_test(t, one_too_many_anywhere_breaks_an_identity, 0, ARRAY_LEN(misses));
	tcase_add_loop_test(t, no_kind_of_message_is_measured_more_often_than_it_came, 0,
			    ARRAY_LEN(too_many));
	tcase_add_test(t, a_full_table_is_read_to_its_end_and_no_further);
	tcase_add_test(t, no_more_is_echoed_in_an_outage_than_is_measured);
	suite_add_tcase(s, t);
	return s;
}
