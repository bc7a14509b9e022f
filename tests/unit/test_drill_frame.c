/* SPDX-License-Identifier: MIT
 * test_drill_frame: frames as a drill's wire carries them, whole and cut short.
 */
#include <string.h>

#include "echo/base/base.h"
#include "echodrill/rig/frame.h"
#include "suites.h"

/* 10.77.1.2:40000 > 10.77.2.2:7007, 6 bytes of data, PSH ACK */
static const unsigned char tcp4[] = {
	2,    0,    0, 0,  0,    1,    2,    0,    0,   0,   0,   2,   8,   0, /* Ethernet */
	0x45, 0,    0, 46, 0,    0,    0x40, 0,    64,  6,   0,   0,   10,  77,   1, 2,
	10,   77,   2, 2,  0x9c, 0x40, 0x1b, 0x5f, 0,   0,   0,   7,   0,   0,    0, 9,
	0x50, 0x18, 0, 64, 0,    0,    0,    0,    'h', 'e', 'l', 'l', 'o', '\n',
};

START_TEST(a_segment_has_ports_flags_and_a_length)
{
	struct frame f;
	char text[64];

	ck_assert(frame_read(&f, tcp4, sizeof(tcp4)));
	ck_assert_int_eq(f.kind, FRAME_TCP);
	ck_assert_uint_eq(f.from, 40000);
	ck_assert_uint_eq(f.to, 7007);
	ck_assert_uint_eq(f.flags, FRAME_PSH | FRAME_ACK);
	ck_assert_uint_eq(f.seq, 7);
	ck_assert_uint_eq(f.ack, 9);
	ck_assert_uint_eq(f.len, 6);
	ck_assert_str_eq(frame_words(&f, text), "6 bytes");
}
END_TEST

START_TEST(what_a_snapshot_cut_off_still_counts)
{
	struct frame f;

	ck_assert(frame_read(&f, tcp4, sizeof(tcp4) - 6));
	ck_assert_uint_eq(f.len, 6);
}
END_TEST

START_TEST(a_frame_that_ends_too_early_is_no_segment)
{
	struct frame f;

	for (size_t len = 0; len < 14 + 20 + 20; len++) {
		ck_assert(!frame_read(&f, tcp4, len));
		ck_assert_int_eq(f.kind, FRAME_OTHER);
	}
}
END_TEST

START_TEST(lengths_that_lie_are_not_believed)
{
	unsigned char bad[sizeof(tcp4)];
	struct frame f;

	memcpy(bad, tcp4, sizeof(bad));
	bad[14] = 0x4f; /* a header of 60 bytes */
	ck_assert(!frame_read(&f, bad, sizeof(bad)));
	memcpy(bad, tcp4, sizeof(bad));
	bad[14 + 3] = 10; /* shorter in total than its header */
	ck_assert(!frame_read(&f, bad, sizeof(bad)));
	memcpy(bad, tcp4, sizeof(bad));
	bad[14 + 20 + 12] = 0xf0; /* a TCP header longer than the packet */
	ck_assert(!frame_read(&f, bad, sizeof(bad)));
}
END_TEST

static const struct {
	unsigned char flags;
	const char *words;
} flags[] = {
	{ FRAME_SYN, "SYN" },
	{ FRAME_SYN | FRAME_ACK, "SYN ACK" },
	{ FRAME_FIN | FRAME_ACK, "FIN ACK" },
	{ FRAME_RST, "RST" },
	{ FRAME_RST | FRAME_ACK, "RST ACK" },
};

START_TEST(flags_have_words)
{
	unsigned char data[sizeof(tcp4)];
	struct frame f;
	char text[64];

	memcpy(data, tcp4, sizeof(data));
	data[14 + 20 + 13] = flags[_i].flags;
	ck_assert(frame_read(&f, data, sizeof(data)));
	ck_assert_str_eq(frame_words(&f, text), flags[_i].words);
}
END_TEST

START_TEST(an_icmp_error_says_whether_it_is_about_tcp)
{
	unsigned char data[14 + 20 + 8 + sizeof(tcp4) - 14];
	struct frame f;
	char text[64];

	memcpy(data, tcp4, 14 + 20);
	data[14 + 3] = sizeof(data) - 14;
	data[14 + 9] = 1;
	memset(data + 34, 0, 8);
	data[34] = 3;
	data[35] = 1;
	memcpy(data + 42, tcp4 + 14, sizeof(tcp4) - 14);
	ck_assert(frame_read(&f, data, sizeof(data)));
	ck_assert_int_eq(f.kind, FRAME_ICMP);
	ck_assert(f.about_tcp);
	ck_assert_str_eq(frame_words(&f, text), "ICMP 3/1");
	data[42 + 9] = 17;
	ck_assert(frame_read(&f, data, sizeof(data)));
	ck_assert(!f.about_tcp);
}
END_TEST

Suite *drill_frame_suite(void)
{
	Suite *s = suite_create("drill_frame");
	TCase *c = tcase_create("frame");

	tcase_add_test(c, a_segment_has_ports_flags_and_a_length);
	tcase_add_test(c, what_a_snapshot_cut_off_still_counts);
	tcase_add_test(c, a_frame_that_ends_too_early_is_no_segment);
	tcase_add_test(c, lengths_that_lie_are_not_believed);
	tcase_add_loop_test(c, flags_have_words, 0, ARRAY_LEN(flags));
	tcase_add_test(c, an_icmp_error_says_whether_it_is_about_tcp);
	suite_add_tcase(s, c);
	return s;
}
