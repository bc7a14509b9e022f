/* SPDX-License-Identifier: MIT
 * test_contract: each rule is broken by a backend that breaks it, and by no other. The fake backend
 * moves no bytes: a test says what was sent.
 */
#include "echo/net/contract.h"

#include <setjmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "fake_backend.h"

#include "suites.h"

enum { RULE_MAX = 64, FIVE = 5 };

static jmp_buf out;
static char broken[RULE_MAX]; /* the rule; "": none */

static void note_rule(const char *rule, const char *why)
{
	ck_assert_str_ne(why, "");
	strncpy(broken, rule, sizeof(broken) - 1);
	longjmp(out, 1);
}

static void setup(void)
{
	fake_init_checked();
	contract_on_break(note_rule);
	broken[0] = '\0';
}

static void teardown(void)
{
	contract_on_break(NULL);
	fake_fini();
}

static const struct role *checked(void)
{
	return fake.w.role;
}

/* Bytes come, and are to go back. */
static void come(struct conn *c, size_t n)
{
	fake_role(c)->next = CONN_ECHO;
	(void)conn_data(c, "hello", n);
}

/* ---- a backend that keeps it ---- */

static void live(void)
{
	struct conn *c = fake_accept();

	come(c, FIVE);
	c->sent += FIVE;
	conn_drained(c);
	c->sent += 2; /* as pass_step does: sent first, told then */
	come(c, 2);
	conn_eof(c);
	conn_shutdown(c, CAUSE_EOF);
	fake_turn(0);
	fake.w.stopping = WORKER_CLOSE;
	contract_over(&fake.w);
}

START_TEST(one_that_keeps_it_is_told_all_and_accused_of_nothing)
{
	if (setjmp(out) == 0)
		live();
	ck_assert_str_eq(broken, "");
	ck_assert_uint_eq(fake.closed, 1);
	ck_assert_uint_eq(fake.last.opened, 1);
	ck_assert_uint_eq(fake.last.data, 2);
	ck_assert_uint_eq(fake.last.drained, 1);
	ck_assert_uint_eq(fake.last.eof, 1);
	ck_assert_int_eq(fake.last.cause, CAUSE_EOF);
}
END_TEST

static void drop(void)
{
	struct conn *c = fake_accept();

	come(c, FIVE);
	c->owing = true;
	conn_close(c, CAUSE_EOF);
	fake_turn(0);
	fake.w.stopping = WORKER_CLOSE;
	contract_over(&fake.w);
}

START_TEST(what_is_owed_may_be_dropped_where_the_end_is_a_reset)
{
	if (setjmp(out) == 0)
		drop();
	ck_assert_str_eq(broken, "");
	ck_assert_uint_eq(fake.closed, 1);
}
END_TEST

/* ---- those that do not ---- */

static enum conn_action data_within(struct conn *c, const void *span, size_t len)
{
	(void)span;
	(void)len;
	checked()->drained(c);
	return CONN_NOTHING;
}

static void nest(struct conn *c)
{
	fake.role.data = data_within;
	come(c, 1);
}

static void call_the_dead(struct conn *c)
{
	conn_close(c, CAUSE_EOF);
	fake_turn(0);
	checked()->expired(c);
}

static void call_one_that_closes(struct conn *c)
{
	conn_close(c, CAUSE_EOF);
	checked()->drained(c);
}

static void open_again(struct conn *c)
{
	checked()->opened(c);
}

static void come_behind_fin(struct conn *c)
{
	conn_eof(c);
	come(c, 1);
}

static void come_uncounted(struct conn *c)
{
	(void)checked()->data(c, "x", 1);
}

static void end_twice(struct conn *c)
{
	conn_eof(c);
	checked()->eof(c);
}

static void end_before_bytes(struct conn *c)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	ck_assert_int_eq(dup2(pair[0], c->fd), c->fd);
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	close(pair[0]);
	close(pair[1]);
	conn_eof(c);
}

static void drain_early(struct conn *c)
{
	c->span_len = 1;
	checked()->drained(c);
}

static void send_twice(struct conn *c)
{
	come(c, FIVE);
	c->sent += FIVE + 1;
	conn_drained(c);
}

static void lose(struct conn *c)
{
	come(c, FIVE);
	c->sent += FIVE - 1;
	conn_drained(c);
}

static void end_without_cause(struct conn *c)
{
	c->state = CONN_CLOSING;
	checked()->closed(c);
}

static void end_clean_and_owe(struct conn *c)
{
	come(c, FIVE);
	conn_close(c, CAUSE_EOF);
	fake_turn(0);
}

static void keep_a_block(struct conn *c)
{
	ck_assert_int_eq(unsent_push(&fake.w.pool, &c->out, "x", 1), 0);
	fake.w.stopping = WORKER_CLOSE;
	contract_over(&fake.w);
}

static void keep_a_connection(struct conn *c)
{
	(void)c;
	fake.w.stopping = WORKER_CLOSE;
	contract_over(&fake.w);
}

static const struct breach {
	const char *rule;
	void (*commit)(struct conn *c);
} breaches[] = {
	{ "nested", nest },
	{ "after-closed", call_the_dead },
	{ "not-open", call_one_that_closes },
	{ "opened-twice", open_again },
	{ "data-late", come_behind_fin },
	{ "data-count", come_uncounted },
	{ "eof-twice", end_twice },
	{ "eof-early", end_before_bytes },
	{ "drained-early", drain_early },
	{ "owed", send_twice },
	{ "owed", lose },
	{ "no-cause", end_without_cause },
	{ "owed-behind-fin", end_clean_and_owe },
	{ "pool-leaks", keep_a_block },
	{ "books", keep_a_connection },
};

START_TEST(who_breaks_a_rule_is_accused_of_that_one)
{
	struct conn *c = fake_accept();

	ck_assert_ptr_nonnull(c);
	if (setjmp(out) == 0)
		breaches[_i].commit(c);
	ck_assert_str_eq(broken, breaches[_i].rule);
}
END_TEST

#ifdef ECHO_CONTRACT
START_TEST(in_this_variant_every_worker_has_it)
{
	fake_fini();
	fake_init();
	ck_assert_ptr_ne(fake.w.role, &fake.role);
}
END_TEST
#endif

Suite *contract_suite(void)
{
	Suite *s = suite_create("contract");
	TCase *tc = tcase_create("contract");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_that_keeps_it_is_told_all_and_accused_of_nothing);
	tcase_add_test(tc, what_is_owed_may_be_dropped_where_the_end_is_a_reset);
	tcase_add_loop_test(tc, who_breaks_a_rule_is_accused_of_that_one, 0, ARRAY_LEN(breaches));
#ifdef ECHO_CONTRACT
	tcase_add_test(tc, in_this_variant_every_worker_has_it);
#endif
	suite_add_tcase(s, tc);
	return s;
}
