/* SPDX-License-Identifier: MIT
 * test_escape: what a terminal would obey is shown, what people write stays.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "suites.h"

static const char *const plain[] = {
	"",
	"a b~",
	"caf\xc3\xa9",
	"\xc2\xa0.",
	"\xe2\x82\xac",
	"\xf0\x9f\x8e\xb2",
	"\xed\x9f\xbf",
	"\xef\xbf\xbd",
};

START_TEST(printable_text_stays)
{
	char text[64];

	ck_assert(!escape_needed(plain[_i]));
	ck_assert_str_eq(escape_text(plain[_i], text, sizeof(text)), plain[_i]);
}
END_TEST

static const struct {
	const char *text, *shown;
} changed[] = {
	{ "a\nb\r\t", "a\\x0ab\\x0d\\x09" },
	{ "\033[2J\177", "\\x1b[2J\\x7f" },
	{ "\x9b"
	  "2J",
	  "\\x9b2J" }, /* CSI as a byte */
	{ "\xc2\x9b"
	  "2J",
	  "\\xc2\\x9b2J" },                             /* CSI as a character */
	{ "\xc3", "\\xc3" },                            /* cut off */
	{ "\xc0\x8a", "\\xc0\\x8a" },                   /* a newline in disguise */
	{ "\xe0\x80\x8a", "\\xe0\\x80\\x8a" },          /* another */
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* half of a surrogate pair */
	{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond Unicode */
	{ "\xff", "\\xff" },
	{ "\xe2\x80\xaegpj\xe2\x80\xac",
	  "\\xe2\\x80\\xaegpj\\xe2\\x80\\xac" }, /* from right to left, and back */
	{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },
	{ "\xe2\x82", "\\xe2\\x82" },
	{ "\xef\xbf\xbe", "\\xef\\xbf\\xbe" }, /* no XML may have these two */
	{ "\xef\xbf\xbf", "\\xef\\xbf\\xbf" },
};

START_TEST(what_a_terminal_would_obey_is_shown)
{
	char text[64], line[64] = "";
	FILE *f = fmemopen(line, sizeof(line), "w");

	ck_assert(escape_needed(changed[_i].text));
	ck_assert_str_eq(escape_text(changed[_i].text, text, sizeof(text)), changed[_i].shown);
	escape_line(f, "%s", changed[_i].text);
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	ck_assert_str_eq(line, text);
}
END_TEST

START_TEST(what_has_no_room_is_left_out_by_whole_characters)
{
	char text[6];

	ck_assert_str_eq(escape_text("ab\n", text, sizeof(text)), "ab");
	ck_assert_str_eq(escape_text("abcd\xc3\xa9", text, sizeof(text)), "abcd");
	ck_assert_str_eq(escape_text("a\n", text, sizeof(text)), "a\\x0a");
	ck_assert_str_eq(escape_text("abc", text, 1), "");
}
END_TEST

START_TEST(a_nul_byte_of_a_span_is_shown)
{
	char out[ESCAPE_MAX];

	ck_assert_uint_eq(escape_next("\0a", 2, out), 1);
	ck_assert_str_eq(out, "\\x00");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_still_one_line)
{
	char *text = malloc(2 * ESCAPE_LINE_MAX), *line = NULL;
	size_t len;
	FILE *f = open_memstream(&line, &len);

	memset(text, 'a', 2 * ESCAPE_LINE_MAX - 1);
	text[2 * ESCAPE_LINE_MAX - 1] = '\0';
	escape_line(f, "%s", text);
	fclose(f);
	ck_assert_uint_eq(len, ESCAPE_LINE_MAX);
	ck_assert_int_eq(line[len - 1], '\n');
	free(line);
	free(text);
}
END_TEST

Suite *escape_suite(void)
{
	Suite *s = suite_create("escape");
	TCase *t = tcase_create("escape");

	tcase_add_loop_test(t, printable_text_stays, 0, ARRAY_LEN(plain));
	tcase_add_loop_test(t, what_a_terminal_would_obey_is_shown, 0, ARRAY_LEN(changed));
	tcase_add_test(t, what_has_no_room_is_left_out_by_whole_characters);
	tcase_add_test(t, a_nul_byte_of_a_span_is_shown);
	tcase_add_test(t, a_line_that_is_too_long_is_still_one_line);
	suite_add_tcase(s, t);
	return s;
}
