/* SPDX-License-Identifier: MIT
 * test_opt_type: what each type of value takes and refuses, exactly.
 */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "echo/base/base.h"
#include "opt_fixture.h"

static const struct {
	const char *text;
	int64_t ns; /* -1: an error */
} times[] = {
	{ "off", 0 },
	{ "0", 0 },
	{ "00", 0 },
	{ "0.", -1 },
	{ "0s", 0 },
	{ "1ns", 1 },
	{ "50us", 50000 },
	{ "1.5s", 1500000000 },
	{ "1.000000001s", 1000000001 },
	{ "0.1s", 100000000 },
	{ "2.50m", SEC(150) },
	{ "24h", SEC(86400) },
	{ "0.000000000000000001h", -1 },
	{ "0.000000000000000000000000000s", 0 },
	{ "1.5000000000000000000000000000s", 1500000000 },
	{ "0.5ns", -1 },
	{ "1.0000000001s", -1 },
	{ "24.1h", -1 },
	{ "86400000000001ns", -1 },
	{ "5", -1 },
	{ "s", -1 },
	{ "-5s", -1 },
	{ "+5s", -1 },
	{ " 5s", -1 },
	{ "5 s", -1 },
	{ "5S", -1 },
	{ "1e3s", -1 },
	{ "1.s", -1 },
	{ ".5s", -1 },
	{ "1.2.3s", -1 },
	{ "5ss", -1 },
	{ "99999999999999999999999s", -1 },
	{ "18446744073709551616ns", -1 },
	{ "18446744073709551615h", -1 },
	{ "inf", -1 },
	{ "", -1 },
};

START_TEST(a_time_is_exact_or_an_error)
{
	char why[OPT_ERROR_MAX] = "";
	const struct opt row = OPT_TIME(opt_test_config, idle_timeout, "off", 0, SEC(86400), "");
	int64_t ns = -1;
	int r = opt_time.parse(&row, times[_i].text, &ns, why);

	ck_assert_int_eq(ns, times[_i].ns);
	ck_assert_int_eq(r == 0, ns >= 0);
	ck_assert_int_eq(r == 0, why[0] == '\0');
}
END_TEST

static const struct {
	const char *text;
	uint64_t value; /* UINT64_MAX: an error */
} counts[] = {
	{ "0", 0 },
	{ "007", 7 },
	{ "10k", 10000 },
	{ "1.5k", 1500 },
	{ "4Ki", 4096 },
	{ "2M", 2000000 },
	{ "1Gi", 1 << 30 },
	{ "9223372036854775807", INT64_MAX },
	{ "9223372036854775808", UINT64_MAX },
	{ "18446744073709551616", UINT64_MAX },
	{ "20000000000Gi", UINT64_MAX },
	{ "1.5", UINT64_MAX },
	{ "1.0001k", UINT64_MAX },
	{ "0x10", UINT64_MAX },
	{ "-1", UINT64_MAX },
	{ "1K", UINT64_MAX },
	{ "1kk", UINT64_MAX },
	{ "1 k", UINT64_MAX },
	{ "k", UINT64_MAX },
};

START_TEST(a_count_is_whole_or_an_error)
{
	char why[OPT_ERROR_MAX] = "";
	const struct opt wide = OPT_UINT(opt_test_config, max_conns, "0", 0, INT64_MAX, "");
	const struct opt size = OPT_SIZE(opt_test_config, max_conns, "0", 0, INT64_MAX, "");
	const struct opt narrow =
		OPT(opt_test_config, workers, opt_uint, "0", ""); /* no limits given */
	uint64_t value = UINT64_MAX, bytes = UINT64_MAX, expected = counts[_i].value;
	unsigned small = 77;

	ck_assert_int_eq(opt_uint.parse(&wide, counts[_i].text, &value, why) == 0,
			 expected != UINT64_MAX);
	ck_assert_uint_eq(value, expected);
	opt_size.parse(&size, counts[_i].text, &bytes, why);
	ck_assert_uint_eq(bytes, expected);
	opt_uint.parse(&narrow, counts[_i].text, &small, why);
	ck_assert_uint_eq(small, expected <= UINT32_MAX ? expected : 77);
}
END_TEST

START_TEST(an_overflow_names_the_range_of_the_field)
{
	char why[OPT_ERROR_MAX] = "";
	const struct opt narrow = OPT(opt_test_config, workers, opt_uint, "0", "");
	unsigned small = 77;

	ck_assert_int_eq(opt_uint.parse(&narrow, "4294967296", &small, why), -ERANGE);
	ck_assert_str_eq(why, "is out of range: 0 to 4294967295");
	opt_test_error(opt_test_load("--workers=99999999999999999999", NULL),
		       "--workers: '99999999999999999999' is out of range: 0 to 1024");
	opt_test_error(opt_test_load("--interval=0s", NULL),
		       "--interval: '0s' is out of range: 1ns to 9223372036854775807ns");
}
END_TEST

START_TEST(a_number_between_two_steps_is_refused)
{
	char why[OPT_ERROR_MAX] = "";
	const struct opt row =
		OPT_TIME(opt_test_config, idle_timeout, "off", 0, SEC(1), "", .step = MSEC(1));
	int64_t ns = 77;

	ck_assert_int_eq(opt_time.parse(&row, "1500us", &ns, why), -ERANGE);
	ck_assert_str_eq(why, "must be a multiple of 1ms");
	ck_assert_int_eq(ns, 77);
	ck_assert_int_eq(opt_time.parse(&row, "off", &ns, why), 0);
	ck_assert_int_eq(opt_time.parse(&row, "0.25s", &ns, why), 0);
	ck_assert_int_eq(ns, MSEC(250));
}
END_TEST

static const struct {
	const char *text;
	double value; /* NAN: an error */
} reals[] = {
	{ "0.1", 0.1 },    { "-2", -2 },       { "1e2", 100 },   { "50.1k", 50100 }, { "1M", 1e6 },
	{ "1.001M", NAN }, { "-3.5", NAN },    { "1e400", NAN }, { "1e-400", NAN },  { "nan", NAN },
	{ "inf", NAN },    { "0x1p3", NAN },   { "1e3k", NAN },  { "1.2.3", NAN },   { "--1", NAN },
	{ " 1", NAN },     { "1 ", NAN },      { ".5", NAN },    { "-", NAN },       { "5kk", NAN },
	{ "1-1", NAN },    { "-nan(1)", NAN },
};

START_TEST(a_real_is_the_nearest_or_an_error)
{
	char why[OPT_ERROR_MAX] = "";
	const struct opt row =
		OPT(opt_test_config, rate, opt_double, "0", "", .min = -3, .max = 1000000);
	double value = NAN;

	ck_assert_int_eq(opt_double.parse(&row, reals[_i].text, &value, why) == 0,
			 !isnan(reals[_i].value));
	if (!isnan(reals[_i].value))
		ck_assert_double_eq(value, reals[_i].value);
}
END_TEST

START_TEST(a_string_that_no_file_can_hold_is_refused)
{
	static const char *const bad[] = {
		" a", "a ", "\ta", ";a", "a ;b", "a\t;", "a\nb", "\x7f"
	};
	const struct opt row = OPT_STRING(opt_test_config, json_file, NULL, "");
	char why[OPT_ERROR_MAX], field[16] = "old";

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_int_eq(opt_string.parse(&row, bad[i], field, why), -EINVAL);
	ck_assert_str_eq(field, "old");
	ck_assert_int_eq(opt_string.parse(&row, "a;b #\xc3\xa4", field, why), 0);
	ck_assert_str_eq(field, "a;b #\xc3\xa4");
}
END_TEST

TCase *opt_type_tests(void)
{
	TCase *t = opt_tcase("opt type");

	tcase_add_loop_test(t, a_time_is_exact_or_an_error, 0, ARRAY_LEN(times));
	tcase_add_loop_test(t, a_count_is_whole_or_an_error, 0, ARRAY_LEN(counts));
	tcase_add_test(t, an_overflow_names_the_range_of_the_field);
	tcase_add_test(t, a_number_between_two_steps_is_refused);
	tcase_add_loop_test(t, a_real_is_the_nearest_or_an_error, 0, ARRAY_LEN(reals));
	tcase_add_test(t, a_string_that_no_file_can_hold_is_refused);
	return t;
}
