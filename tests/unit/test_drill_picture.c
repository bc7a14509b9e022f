/* SPDX-License-Identifier: MIT
 * test_drill_picture: what a picture says that nobody has observed: states that follow from
 * segments; and text that has to fit.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echodrill/picture/layout.h"
#include "echodrill/picture/states.h"

#include "suites.h"

/* One that is open. */
static struct end open_end(void)
{
	struct end e = { .state = END_CLOSED };
	const struct frame syn = { .kind = FRAME_TCP, .flags = FRAME_SYN, .seq = 99 };
	const struct frame reply = { .kind = FRAME_TCP, .flags = FRAME_SYN | FRAME_ACK };

	states_sent(&e, &syn);
	ck_assert_str_eq(states_name(e.state), "SYN-SENT");
	states_received(&e, &reply);
	ck_assert_str_eq(states_name(e.state), "ESTAB");
	return e;
}

static struct frame flags(unsigned flags, uint32_t seq, uint32_t ack)
{
	return (struct frame){ .kind = FRAME_TCP, .flags = flags, .seq = seq, .ack = ack };
}

static void sends(struct end *e, struct frame f, const char *then)
{
	states_sent(e, &f);
	ck_assert_str_eq(states_name(e->state), then);
}

static void receives(struct end *e, struct frame f, const char *then)
{
	states_received(e, &f);
	ck_assert_str_eq(states_name(e->state), then);
}

START_TEST(who_closes_first_waits_for_the_other)
{
	struct end e = open_end();

	sends(&e, flags(FRAME_FIN | FRAME_ACK, 100, 5), "FIN-WAIT-1");
	receives(&e, flags(FRAME_ACK, 5, 100), "FIN-WAIT-1"); /* of what was before the FIN */
	receives(&e, flags(FRAME_ACK, 5, 101), "FIN-WAIT-2");
	sends(&e, flags(FRAME_FIN | FRAME_ACK, 100, 5), "FIN-WAIT-2"); /* again */
	receives(&e, flags(FRAME_FIN | FRAME_ACK, 5, 101), "TIME-WAIT");
}
END_TEST

START_TEST(who_is_closed_by_the_other_closes_too)
{
	struct end e = open_end();

	receives(&e, flags(FRAME_FIN | FRAME_ACK, 5, 100), "CLOSE-WAIT");
	sends(&e, flags(FRAME_ACK, 100, 6), "CLOSE-WAIT");
	sends(&e, flags(FRAME_FIN | FRAME_ACK, 100, 6), "LAST-ACK");
	receives(&e, flags(FRAME_ACK, 6, 101), "");
}
END_TEST

START_TEST(both_close_at_a_time)
{
	struct end e = open_end(), f = open_end();

	sends(&e, flags(FRAME_FIN | FRAME_ACK, 100, 5), "FIN-WAIT-1");
	receives(&e, flags(FRAME_FIN | FRAME_ACK, 5, 100), "CLOSING");
	receives(&e, flags(FRAME_ACK, 6, 101), "TIME-WAIT");
	/* an acknowledgement and a FIN in one */
	sends(&f, flags(FRAME_FIN | FRAME_ACK, 100, 5), "FIN-WAIT-1");
	receives(&f, flags(FRAME_FIN | FRAME_ACK, 5, 101), "TIME-WAIT");
}
END_TEST

START_TEST(a_server_opens_by_the_third_segment_and_a_reset_ends_all)
{
	struct end e = { .state = END_CLOSED };

	receives(&e, flags(FRAME_SYN, 0, 0), "SYN-RECV");
	sends(&e, flags(FRAME_SYN | FRAME_ACK, 9, 1), "SYN-RECV");
	receives(&e, flags(FRAME_ACK, 1, 10), "ESTAB");
	receives(&e, flags(FRAME_RST, 1, 10), "");
	e = open_end();
	sends(&e, flags(FRAME_RST | FRAME_ACK, 1, 1), "");
}
END_TEST

START_TEST(numbers_wrap_around)
{
	struct end e = open_end();

	sends(&e, flags(FRAME_FIN | FRAME_ACK, UINT32_MAX, 5), "FIN-WAIT-1");
	receives(&e, flags(FRAME_ACK, 5, UINT32_MAX), "FIN-WAIT-1");
	receives(&e, flags(FRAME_ACK, 5, 0), "FIN-WAIT-2");
}
END_TEST

START_TEST(what_the_kernel_said_counts_more)
{
	struct end e = open_end();

	states_observed(&e, "2 ESTAB, 1 CLOSE-WAIT"); /* of which of them is this? */
	ck_assert_int_eq(e.state, END_ESTAB);
	states_observed(&e, "1 CLOSE-WAIT");
	ck_assert_int_eq(e.state, END_CLOSE_WAIT);
	states_observed(&e, "none");
	ck_assert_int_eq(e.state, END_CLOSED);
}
END_TEST

START_TEST(a_text_is_split_at_blanks_and_cut_after_its_last_line)
{
	char lines[LAYOUT_LINES_MAX][LAYOUT_LINE_MAX + 4], text[400];

	ck_assert_uint_eq(layout_lines("", lines), 1);
	ck_assert_str_eq(lines[0], "");
	ck_assert_uint_eq(layout_lines("read: 0, end of input: the server is gone (eof)", lines),
			  2);
	ck_assert_str_eq(lines[0], "read: 0, end of input: the server is");
	ck_assert_str_eq(lines[1], "gone (eof)");
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ck_assert_uint_eq(layout_lines(text, lines), LAYOUT_LINES_MAX);
	ck_assert_uint_eq(strlen(lines[0]), LAYOUT_LINE_MAX);
	ck_assert_str_eq(lines[LAYOUT_LINES_MAX - 1] + LAYOUT_LINE_MAX, "...");
	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2); /* no half of a character */
	text[sizeof(text) - 2] = '\0';
	text[0] = 'x';
	text[1] = 'x';
	layout_lines(text, lines);
	ck_assert_uint_eq(strlen(lines[0]) % 2, 0);
}
END_TEST

/* ---- captures ---- */

/* An empty capture; to be closed. */
static int capture(void)
{
	const uint32_t head[] = { 0xa1b23c4d, 4u << 16 | 2, 0, 0, 65536, 1 };
	int fd = memfd_create("capture", MFD_CLOEXEC);

	ck_assert_int_eq(write(fd, head, sizeof(head)), sizeof(head));
	return fd;
}

/* Six bytes, or none, of the client's port 4000, in this capture at that time. */
static void captured(int fd, int64_t t_ns, uint8_t len, uint8_t ack)
{
	unsigned char frame[14 + 20 + 20 + 6] = {
		[12] = 8,         [14] = 0x45,       [17] = (uint8_t)(40 + len),
		[23] = 6,         [34] = 4000 >> 8,  [35] = 4000 & 255,
		[36] = 7007 >> 8, [37] = 7007 & 255, [45] = ack,
		[46] = 0x50,      [47] = FRAME_ACK
	};
	const uint32_t size = 14 + 40 + len, head[] = { (uint32_t)(t_ns / SEC(1)),
							(uint32_t)(t_ns % SEC(1)), size, size };

	ck_assert_int_eq(write(fd, head, sizeof(head)), sizeof(head));
	ck_assert_int_eq(write(fd, frame, size), size);
}

static struct segments segments;

START_TEST(of_two_alike_the_one_that_arrived_is_the_one_that_was_sent_last)
{
	int client = capture(), server = capture();

	captured(client, MSEC(10), 6, 1); /* lost */
	captured(client, MSEC(210), 6, 1);
	captured(server, MSEC(212), 6, 1);
	segment_read(&segments, client, server);
	ck_assert_uint_eq(segments.count, 2);
	ck_assert_int_eq(segments.at[0].arrived_ns, -1);
	ck_assert_uint_eq(segments.at[0].repeat, 0);
	ck_assert_int_eq(segments.at[1].arrived_ns, MSEC(212));
	ck_assert_uint_eq(segments.at[1].repeat, 1);
	ck_assert_uint_eq(segments.at[1].port, 4000);
	ck_assert(segments.at[1].to_server);
	close(client);
	close(server);
}
END_TEST

START_TEST(what_is_under_way_together_arrives_in_order)
{
	int client = capture(), server = capture();

	for (int i = 0; i < 3; i++)
		captured(client, MSEC(10 + i), 0, 1); /* the same acknowledgement three times */
	for (int i = 0; i < 3; i++)
		captured(server, MSEC(20 + i), 0, 1);
	segment_read(&segments, client, server);
	ck_assert_uint_eq(segments.count, 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(segments.at[i].arrived_ns, MSEC(20 + (int)i));
	close(client);
	close(server);
}
END_TEST

START_TEST(a_segment_says_how_often_it_was_sent)
{
	struct segment s = { .frame = { .kind = FRAME_TCP, .flags = FRAME_ACK, .len = 14 } };
	char text[96];

	ck_assert_str_eq(segment_words(&s, text), "14 bytes");
	s.repeat = 3;
	ck_assert_str_eq(segment_words(&s, text), "14 bytes, again (3)");
	s = (struct segment){
		.frame = { .kind = FRAME_TCP, .flags = FRAME_FIN | FRAME_ACK, .len = 6 }
	};
	ck_assert_str_eq(segment_words(&s, text), "FIN ACK, 6 bytes");
}
END_TEST

Suite *drill_picture_suite(void)
{
	Suite *s = suite_create("drill_picture");
	TCase *t = tcase_create("drill_picture");

	tcase_add_test(t, who_closes_first_waits_for_the_other);
	tcase_add_test(t, who_is_closed_by_the_other_closes_too);
	tcase_add_test(t, both_close_at_a_time);
	tcase_add_test(t, a_server_opens_by_the_third_segment_and_a_reset_ends_all);
	tcase_add_test(t, numbers_wrap_around);
	tcase_add_test(t, what_the_kernel_said_counts_more);
	tcase_add_test(t, a_text_is_split_at_blanks_and_cut_after_its_last_line);
	tcase_add_test(t, of_two_alike_the_one_that_arrived_is_the_one_that_was_sent_last);
	tcase_add_test(t, what_is_under_way_together_arrives_in_order);
	tcase_add_test(t, a_segment_says_how_often_it_was_sent);
	suite_add_tcase(s, t);
	return s;
}
