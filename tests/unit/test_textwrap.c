/* SPDX-License-Identifier: MIT
 * test_textwrap: lines end at blanks, columns are characters, and labels stand before them.
 */
#include "echo/base/textwrap.h"

#include "suites.h"
#include "written.h"

START_TEST(a_text_is_wrapped_between_words_in_its_column)
{
	textwrap_put(written_to, " 1.5", 6, 10, "one two three");
	textwrap_put(written_to, "", 2, 8, "unbreakable and");
	textwrap_put(written_to, "x", 2, 0, "");
	textwrap_put(written_to, "", 0, 7, "one two three  ");
	ck_assert_str_eq(written(), " 1.5  one two\n"
				    "      three\n"
				    "  unbreaka\n"
				    "  ble and\n"
				    "x\n"
				    "one two\n"
				    "three\n");
}
END_TEST

START_TEST(a_line_ends_at_column_80)
{
	const char *eighty = "1234567890123456789012345678901234567890"
			     "123456789012345678901234567890123456 890";
	const char *text;

	textwrap_put(written_to, "", 0, 0, eighty);
	textwrap_put(written_to, "", 1, 0, eighty);
	text = written();
	ck_assert_uint_eq(strcspn(text, "\n"), 80);
	ck_assert_str_eq(text + 80, "\n"
				    " 1234567890123456789012345678901234567890"
				    "123456789012345678901234567890123456\n"
				    " 890\n");
}
END_TEST

START_TEST(a_label_that_is_too_long_has_a_line_of_its_own)
{
	textwrap_put(written_to, "--long-option", 8, 0, "what it does");
	textwrap_put(written_to, "exactly", 7, 0, "touches");
	textwrap_put(written_to, "too long", 4, 0, "");
	ck_assert_str_eq(written(), "--long-option\n"
				    "        what it does\n"
				    "exactly\n"
				    "       touches\n"
				    "too long\n");
}
END_TEST

START_TEST(a_column_is_a_character)
{
	textwrap_put(written_to, "\xc3\xa4", 3, 4, "\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\xc3\xa4 b");
	ck_assert_str_eq(written(), "\xc3\xa4  \xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f\n"
				    "   \xc3\xa4 b\n");
}
END_TEST

START_TEST(blanks_before_a_text_and_between_its_words_stay)
{
	textwrap_put(written_to, "", 2, 0, "  a   b");
	textwrap_put(written_to, "", 0, 4, "  cccc d");
	ck_assert_str_eq(written(), "    a   b\n"
				    "  cc\n"
				    "cc d\n");
}
END_TEST

START_TEST(what_others_say_is_harmless_to_a_terminal)
{
	textwrap_put(written_to, "\033", 6, 0, "b\033[1m\xff caf\xc3\xa9\n");
	ck_assert_str_eq(written(), "\\x1b  b\\x1b[1m\\xff caf\xc3\xa9\\x0a\n");
}
END_TEST

Suite *textwrap_suite(void)
{
	Suite *s = suite_create("textwrap");
	TCase *t = written_tcase("textwrap");

	tcase_add_test(t, a_text_is_wrapped_between_words_in_its_column);
	tcase_add_test(t, a_line_ends_at_column_80);
	tcase_add_test(t, a_label_that_is_too_long_has_a_line_of_its_own);
	tcase_add_test(t, a_column_is_a_character);
	tcase_add_test(t, blanks_before_a_text_and_between_its_words_stay);
	tcase_add_test(t, what_others_say_is_harmless_to_a_terminal);
	suite_add_tcase(s, t);
	return s;
}
