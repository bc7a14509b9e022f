/* SPDX-License-Identifier: MIT
 * test_backend: the list of backends, and what a program may choose from it.
 */
#include "echo/net/backend.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echo/net/worker.h"

#include "suites.h"

static int parse(const char *from, const struct backend_ops **b, char why[OPT_ERROR_MAX])
{
	const struct opt row = { .key = "backend", .type = &opt_backend };

	return opt_backend.parse(&row, from, b, why);
}

START_TEST(every_backend_is_complete)
{
	for (size_t i = 0; backends[i]; i++) {
		const struct backend_ops *b = backends[i];

		ck_assert(b->name && b->help);
		ck_assert(b->probe && b->init && b->fini && b->turn);
		ck_assert(b->close && b->caps);
		if (b->caps & BACKEND_ACCEPT)
			ck_assert(b->listen && b->unlisten);
		ck_assert_ptr_nonnull(b->shutdown);
		if (!(b->caps & BACKEND_SINGLE)) /* nothing wakes fork's own processes */
			if (b->caps & BACKEND_CONNECT)
				ck_assert(b->dial && b->send);
		ck_assert_int_eq(b->opts != NULL, b->config_size > 0);
		ck_assert_ptr_eq(backend_find(b->name), b);
		ck_assert_uint_lt(i, BACKENDS_MAX);
	}
}
END_TEST

/* @words: "auto" and those with @caps, in their order. */
static void check_names(const char *const *words, unsigned caps)
{
	ck_assert_str_eq(*words++, "auto");
	for (size_t i = 0; backends[i]; i++) {
		if ((backends[i]->caps & caps) == caps)
			ck_assert_str_eq(*words++, backends[i]->name);
	}
	ck_assert_ptr_null(*words);
}

START_TEST(a_shell_offers_those_that_there_are)
{
	check_names(backend_names, BACKEND_ACCEPT);
	check_names(backend_dial_names, BACKEND_CONNECT);
}
END_TEST

START_TEST(names_are_found_and_others_are_not)
{
	ck_assert_ptr_eq(backend_find("epoll"), &backend_epoll);
	ck_assert_ptr_eq(backend_find("fork"), &backend_fork);
	ck_assert_ptr_null(backend_find("auto"));
	ck_assert_ptr_null(backend_find("EPOLL"));
	ck_assert_ptr_null(backend_find(""));
}
END_TEST

START_TEST(as_an_option_it_is_a_name_or_auto)
{
	const struct opt row = { .key = "backend", .type = &opt_backend };
	const struct backend_ops *b = NULL;
	char why[OPT_ERROR_MAX] = "", text[OPT_TEXT_MAX];

	ck_assert_int_eq(parse("epoll", &b, why), 0);
	ck_assert_ptr_eq(b, &backend_epoll);
	ck_assert(opt_backend.print(&row, &b, 0, text));
	ck_assert_str_eq(text, "epoll");
	ck_assert_int_eq(parse("select", &b, why), -EINVAL);
	ck_assert_ptr_eq(b, &backend_epoll);
	for (size_t i = 0; backends[i]; i++)
		ck_assert_ptr_nonnull(strstr(why, backends[i]->name));
	ck_assert_ptr_nonnull(strstr(why, "auto"));
	ck_assert_int_eq(parse("auto", &b, why), 0);
	ck_assert_ptr_null(b);
	ck_assert(opt_backend.print(&row, &b, 0, text));
	ck_assert_str_eq(text, "auto");
}
END_TEST

START_TEST(auto_is_the_first_that_can_do_it_here)
{
	static const unsigned wants[] = { BACKEND_ACCEPT, BACKEND_CONNECT,
					  BACKEND_ACCEPT | BACKEND_CONNECT };

	for (size_t i = 0; i < ARRAY_LEN(wants); i++) {
		const char *why = NULL, *ignored = "";
		const struct backend_ops *b = backend_auto(wants[i], &why);

		ck_assert_uint_eq(b->caps & wants[i], wants[i]);
		ck_assert_int_eq(b->probe(&ignored), 0);
		ck_assert_ptr_nonnull(why);
		if (b == backends[0])
			ck_assert_str_eq(why, "");
	}
}
END_TEST

START_TEST(what_was_chosen_has_the_options_of_its_section)
{
	static struct opt_set s = { .program = "test" };
	static const struct opt rows[] = { OPT_END };
	struct backend_choice c = { .ops = NULL };
	char none;

	opt_add(&s, "first", rows, &none);
	ck_assert_int_eq(backend_options(&c, BACKEND_CONNECT, &s), 0);
	ck_assert_int_eq(opt_read_defaults(&s), 0);
	for (unsigned i = 1; i < s.count; i++)
		ck_assert_str_ne(s.sections[i].name, "fork"); /* it cannot dial */
	ck_assert_int_eq(backend_choose(&c, BACKEND_CONNECT, &backend_epoll), 0);
	ck_assert_ptr_eq(c.ops, &backend_epoll);
	ck_assert_ptr_nonnull(c.config);
	ck_assert_str_eq(c.why, "");
	ck_assert_int_eq(backend_choose(&c, BACKEND_CONNECT, NULL), 0);
	ck_assert_ptr_nonnull(c.config);
	backend_choice_free(&c);
}
END_TEST

/* What init of the first backend lacked is asked for here: errno and workers of a configuration. */
START_TEST(another_takes_the_place_of_one_that_cannot_be_had)
{
	static struct opt_set s = { .program = "test" };
	static const struct opt rows[] = { OPT_END };
	struct backend_choice c = { .ops = NULL };
	struct net_config n = { .workers = 3, .slots = 100 };
	char none;

	opt_add(&s, "first", rows, &none);
	ck_assert_int_eq(backend_options(&c, BACKEND_ACCEPT, &s), 0);
	ck_assert_int_eq(opt_read_defaults(&s), 0);
	ck_assert_int_eq(backend_choose(&c, BACKEND_ACCEPT, NULL), 0);
	n.backend = c.ops;
	n.backend_config = c.config;
	if (c.ops != &backend_epoll) {
		ck_assert(backend_instead(&c, &n, ENOMEM));
		ck_assert_ptr_nonnull(strstr(c.why, "3 workers"));
		ck_assert_ptr_eq(c.ops, &backend_epoll);
		ck_assert_ptr_eq(n.backend, &backend_epoll);
		ck_assert_ptr_eq(n.backend_config, c.config);
	}
	ck_assert(!backend_instead(&c, &n, EMFILE)); /* fork is no loop with many workers */
	ck_assert_str_eq(c.why, strerror(EMFILE));
	ck_assert_ptr_eq(n.backend, &backend_epoll);
	backend_choice_free(&c);
}
END_TEST

START_TEST(one_that_was_asked_for_is_not_replaced)
{
	struct backend_choice c = { .ops = NULL };
	struct net_config n = { .backend = backends[0] };
	const char *ignored;

	if (backends[0]->probe(&ignored) < 0)
		return;
	ck_assert_int_eq(backend_choose(&c, BACKEND_ACCEPT, backends[0]), 0);
	ck_assert(!backend_instead(&c, &n, EMFILE));
	ck_assert_ptr_nonnull(strstr(c.why, strerror(EMFILE)));
	ck_assert_ptr_eq(n.backend, backends[0]);
}
END_TEST

Suite *backend_suite(void)
{
	Suite *s = suite_create("backend");
	TCase *tc = tcase_create("backend");

	tcase_add_test(tc, every_backend_is_complete);
	tcase_add_test(tc, a_shell_offers_those_that_there_are);
	tcase_add_test(tc, names_are_found_and_others_are_not);
	tcase_add_test(tc, as_an_option_it_is_a_name_or_auto);
	tcase_add_test(tc, auto_is_the_first_that_can_do_it_here);
	tcase_add_test(tc, what_was_chosen_has_the_options_of_its_section);
	tcase_add_test(tc, another_takes_the_place_of_one_that_cannot_be_had);
	tcase_add_test(tc, one_that_was_asked_for_is_not_replaced);
	suite_add_tcase(s, tc);
	return s;
}
