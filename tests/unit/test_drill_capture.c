/* SPDX-License-Identifier: MIT
 * test_drill_capture: questions about captures, good and bad ones: each gives back what it took.
 */
#include "echodrill/verdict/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echodrill/rig/frame.h"

#include "suites.h"

enum { TIMES = 100, BLOCKS_SLACK = 16 };

static const struct {
	const char *what;
	int result;
} questions[] = {
	{ "c2s.syn", 0 },          { "any.icmp", 0 },       { "/tcp port 7007/", 0 },
	{ "/tcp port/", -EINVAL }, { "/tcp", -EINVAL },     { "//", -EINVAL },
	{ "/", -EINVAL },          { "c2s.none", -EINVAL }, { "syn", -EINVAL },
};

START_TEST(a_question_is_known_or_not)
{
	ck_assert_int_eq(capture_check(questions[_i].what), questions[_i].result);
}
END_TEST

START_TEST(a_question_that_is_none_costs_no_memory)
{
	size_t before;

	(void)capture_check("/tcp"); /* what is reserved once */
	before = mallinfo2().uordblks;
	for (int i = 0; i < TIMES; i++)
		(void)capture_check("/tcp");
	ck_assert_uint_lt(mallinfo2().uordblks - before, TIMES * BLOCKS_SLACK);
}
END_TEST

static void see(void *arg, const struct frame *f, int64_t t_ns)
{
	(void)f;
	(void)t_ns;
	(*(unsigned *)arg)++;
}

START_TEST(a_file_that_is_no_capture_has_no_frames_and_is_closed)
{
	const struct capture_span all = { INT64_MIN, INT64_MAX };
	const int fd = memfd_create("capture", MFD_CLOEXEC), next = dup(fd);
	int64_t first, last;
	unsigned frames = 0;

	ck_assert_int_eq(write(fd, "no capture at all, but 24", 25), 25);
	close(next);
	ck_assert_int_eq(capture_count(fd, "any.all", &all, &first, &last), -EIO);
	capture_each(fd, see, &frames);
	ck_assert_uint_eq(frames, 0);
	ck_assert_int_eq(capture_heard(fd, INT64_MAX, &first, &last), -EIO);
	ck_assert_int_eq(dup(fd), next);
	close(next);
	close(fd);
}
END_TEST

Suite *drill_capture_suite(void)
{
	Suite *s = suite_create("drill_capture");
	TCase *t = tcase_create("capture");

	tcase_add_loop_test(t, a_question_is_known_or_not, 0, ARRAY_LEN(questions));
	tcase_add_test(t, a_question_that_is_none_costs_no_memory);
	tcase_add_test(t, a_file_that_is_no_capture_has_no_frames_and_is_closed);
	suite_add_tcase(s, t);
	return s;
}
