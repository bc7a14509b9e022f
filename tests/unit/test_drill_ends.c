/* SPDX-License-Identifier: MIT
 * test_drill_ends: how connections ended, by frames alone, and a result that says something else.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echodrill/rig/frame.h"
#include "echodrill/rig/hosts.h"
#include "echodrill/verdict/agree.h"
#include "echodrill/verdict/ends.h"

#include "suites.h"

enum { PORT = 40000, ISN = 1000, IRS = 5000, STEP_MS = 10 };

static const struct ends_about about = { .timeout_ns = SEC(1),
					 .connect_timeout_ns = SEC(1),
					 .crossing_ns = MSEC(5),
					 .over_ns = SEC(1000) };
static struct ends e;

/* A frame of a conversation, 10 ms after the one before it. */
struct said {
	char who; /* c: client, s: server, '\0': no more, '+': a second passes */
	unsigned flags;
	uint32_t seq, ack, len;
};

#define SYN                                                                                        \
	{                                                                                          \
		'c', FRAME_SYN, ISN, 0, 0                                                          \
	}
#define OPENED                                                                                     \
	SYN, { 's', FRAME_SYN | FRAME_ACK, IRS, ISN + 1, 0 },                                      \
	{                                                                                          \
		'c', FRAME_ACK, ISN + 1, IRS + 1, 0                                                \
	}
#define ASKED                                                                                      \
	OPENED,                                                                                    \
	{                                                                                          \
		'c', FRAME_ACK | FRAME_PSH, ISN + 1, IRS + 1, 64                                   \
	}
#define SECOND                                                                                     \
	{                                                                                          \
		'+', 0, 0, 0, 0                                                                    \
	}

static const struct {
	const char *what;
	unsigned kinds; /* in which it can have ended, a bit for each */
	bool churn;
	struct said said[12];
} talks[] = {
	{ "a SYN that nobody answers", 1 << END_UNANSWERED, false, { SYN, SECOND, SYN } },
	{ "a RST that answers it",
	  1 << END_REFUSED,
	  false,
	  { SYN, { 's', FRAME_RST | FRAME_ACK, 0, ISN + 1, 0 } } },
	{ "a RST that comes when the client's time is nearly over",
	  1 << END_REFUSED | 1 << END_UNANSWERED,
	  false,
	  { SYN, SECOND, { 's', FRAME_RST | FRAME_ACK, 0, ISN + 1, 0 } } },
	{ "a SYN-ACK for which the client has no socket any more",
	  1 << END_UNANSWERED,
	  false,
	  { SYN,
	    SECOND,
	    { 's', FRAME_SYN | FRAME_ACK, IRS, ISN + 1, 0 },
	    { 'c', FRAME_RST, ISN + 1, 0, 0 } } },
	{ "nobody ends it", 1 << END_OWN, false, { ASKED } },
	{ "a RST", 1 << END_RESET, false, { ASKED, { 's', FRAME_RST, IRS + 1, 0, 0 } } },
	{ "a RST, and bytes of the server behind it, which the client's kernel refuses",
	  1 << END_RESET,
	  false,
	  { ASKED,
	    { 's', FRAME_RST, IRS + 1, 0, 0 },
	    { 's', FRAME_ACK, IRS + 1, ISN + 65, 64 },
	    { 'c', FRAME_RST, ISN + 65, 0, 0 } } },
	{ "a RST that the client does not take: it goes on",
	  1 << END_OWN,
	  false,
	  { ASKED, { 's', FRAME_RST, IRS + 9, 0, 0 }, { 'c', FRAME_ACK, ISN + 65, IRS + 1, 0 } } },
	{ "a FIN",
	  1 << END_EOF,
	  false,
	  { ASKED, { 's', FRAME_FIN | FRAME_ACK, IRS + 1, ISN + 65, 0 } } },
	{ "a FIN, and a RST behind it",
	  1 << END_EOF,
	  false,
	  { ASKED,
	    { 's', FRAME_FIN | FRAME_ACK, IRS + 1, ISN + 65, 0 },
	    { 's', FRAME_RST, IRS + 2, 0, 0 } } },
	{ "a FIN behind bytes that were lost, and a RST before they came",
	  1 << END_RESET,
	  false,
	  { ASKED,
	    { 's', FRAME_FIN | FRAME_ACK, IRS + 65, ISN + 65, 0 },
	    { 's', FRAME_RST, IRS + 66, 0, 0 } } },
	{ "a FIN that is in order when what was lost has come",
	  1 << END_EOF,
	  false,
	  { ASKED,
	    { 's', FRAME_FIN | FRAME_ACK, IRS + 65, ISN + 65, 0 },
	    { 's', FRAME_ACK, IRS + 1, ISN + 65, 64 } } },
	{ "the client's own FIN first",
	  1 << END_OWN,
	  false,
	  { ASKED,
	    { 'c', FRAME_FIN | FRAME_ACK, ISN + 65, IRS + 1, 0 },
	    { 's', FRAME_FIN | FRAME_ACK, IRS + 1, ISN + 66, 0 } } },
	{ "a RST that answers the client's FIN",
	  1 << END_OWN | 1 << END_RESET,
	  false,
	  { ASKED,
	    { 'c', FRAME_FIN | FRAME_ACK, ISN + 65, IRS + 1, 0 },
	    { 's', FRAME_RST, IRS + 1, 0, 0 } } },
	{ "a FIN when the client's time is nearly over",
	  1 << END_EOF | 1 << END_OWN,
	  false,
	  { ASKED, SECOND, { 's', FRAME_FIN | FRAME_ACK, IRS + 1, ISN + 65, 0 } } },
	{ "a FIN to a client that closes its connections all the time, and has its answer",
	  1 << END_EOF | 1 << END_OWN,
	  true,
	  { ASKED,
	    { 's', FRAME_ACK, IRS + 1, ISN + 65, 64 },
	    { 's', FRAME_FIN | FRAME_ACK, IRS + 65, ISN + 65, 0 },
	    { 'c', FRAME_FIN | FRAME_ACK, ISN + 65, IRS + 66, 0 } } },
	{ "a RST to such a client that has a part of it",
	  1 << END_RESET,
	  true,
	  { ASKED,
	    { 's', FRAME_ACK, IRS + 1, ISN + 65, 63 },
	    { 's', FRAME_RST, IRS + 64, 0, 0 } } },
	{ "a FIN to such a client that waits for it",
	  1 << END_EOF,
	  true,
	  { ASKED, { 's', FRAME_FIN | FRAME_ACK, IRS + 1, ISN + 65, 0 } } },
};

static void talk(unsigned nth, unsigned port)
{
	int64_t now = MSEC(1);

	for (const struct said *s = talks[nth].said; s->who; s++) {
		const bool client = s->who == 'c';
		const struct frame f = { .kind = FRAME_TCP,
					 .from = client ? port : HOSTS_PORT,
					 .to = client ? HOSTS_PORT : port,
					 .flags = s->flags,
					 .seq = s->seq,
					 .ack = s->ack,
					 .len = s->len };

		now += s->who == '+' ? SEC(1) : MSEC(STEP_MS);
		if (s->who != '+')
			ends_see(&f, now);
	}
}

START_TEST(what_came_first_is_how_it_ended)
{
	struct ends_about churning = about;

	churning.churn = talks[_i].churn;
	ends_begin(&churning);
	talk((unsigned)_i, PORT);
	ends_end(&e);
	ck_assert_uint_eq(e.attempts, 1);
	for (enum end_kind k = 0; k < END_KINDS; k++) {
		ck_assert_msg(e.most[k] == (talks[_i].kinds >> k & 1), "%s: at most %u %s",
			      talks[_i].what, e.most[k], ends_name(k));
		ck_assert_msg(e.least[k] == (talks[_i].kinds == 1u << k), "%s: at least %u %s",
			      talks[_i].what, e.least[k], ends_name(k));
	}
}
END_TEST

START_TEST(a_port_has_one_connection_after_another_and_a_repeated_syn_is_none)
{
	const struct frame again = { .kind = FRAME_TCP,
				     .from = PORT,
				     .to = HOSTS_PORT,
				     .flags = FRAME_SYN,
				     .seq = ISN + 500 };

	ends_begin(&about);
	talk(5, PORT); /* a RST */
	ends_see(&again, SEC(3));
	ends_see(&again, SEC(4));
	talk(8, PORT + 1); /* a FIN */
	ends_end(&e);
	ck_assert_uint_eq(e.attempts, 3);
	ck_assert_uint_eq(e.least[END_RESET], 1);
	ck_assert_uint_eq(e.least[END_EOF], 1);
	ck_assert_uint_eq(e.least[END_UNANSWERED], 1);
}
END_TEST

/* What was captured in time came to the client when its own limit was over. */
START_TEST(on_a_late_machine_a_limit_may_have_been_over_first)
{
	const struct ends_about late = { .timeout_ns = SEC(1),
					 .connect_timeout_ns = SEC(1),
					 .crossing_ns = SEC(2),
					 .over_ns = SEC(1000) };

	ends_begin(&late);
	talk(1, PORT);     /* a RST that answers a SYN */
	talk(8, PORT + 1); /* a FIN */
	ends_end(&e);
	ck_assert_uint_eq(e.least[END_REFUSED], 0);
	ck_assert_uint_eq(e.most[END_REFUSED], 1);
	ck_assert_uint_eq(e.most[END_UNANSWERED], 2);
	ck_assert_uint_eq(e.least[END_EOF], 0);
	ck_assert_uint_eq(e.most[END_EOF], 1);
	ck_assert_uint_eq(e.most[END_OWN], 1);
}
END_TEST

START_TEST(what_comes_when_the_run_is_over_is_not_counted_against_the_client)
{
	const struct ends_about over = { .crossing_ns = MSEC(5), .over_ns = MSEC(45) };

	ends_begin(&over);
	talk(8, PORT);
	ends_end(&e);
	ck_assert_uint_eq(e.least[END_EOF], 0);
	ck_assert_uint_eq(e.most[END_EOF], 1);
	ck_assert_uint_eq(e.most[END_OWN], 1);
}
END_TEST

static const char result[] =
	"{'connections': {'attempts': 10, 'connecting_at_end': 1, 'open_at_end': 2},"
	" 'outcomes': [{'cause': 'refused', 'phase': 'connecting', 'count': 1},"
	"              {'cause': 'host_unreachable', 'phase': 'connecting', 'count': 1},"
	"              {'cause': 'reset', 'phase': 'awaiting', 'count': 1},"
	"              {'cause': 'reset', 'phase': 'connecting', 'count': 1},"
	"              {'cause': 'eof', 'phase': 'idle', 'count': 1},"
	"              {'cause': 'eof_early', 'phase': 'awaiting', 'count': 1},"
	"              {'cause': 'timeout_answer', 'phase': 'awaiting', 'count': 1}]}";

static int compare_to(const char *said, const struct ends *on_wire, char text[128])
{
	char json[sizeof(result)];
	json_t *load;
	int off;

	snprintf(json, sizeof(json), "%s", said);
	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	load = json_loads(json, 0, NULL);
	ck_assert_ptr_nonnull(load);
	off = agree_with(on_wire, load, text, 128);
	json_decref(load);
	return off;
}

static int compare(const struct ends *on_wire, char text[128])
{
	return compare_to(result, on_wire, text);
}

START_TEST(a_result_agrees_with_what_the_wire_allows)
{
	struct ends w = { .attempts = 10,
			  .least = { [END_REFUSED] = 1, [END_RESET] = 1, [END_EOF] = 2 },
			  .most = { [END_REFUSED] = 1,
				    [END_UNANSWERED] = 2,
				    [END_RESET] = 3,
				    [END_EOF] = 2,
				    [END_OWN] = 3 } };
	char text[128];

	ck_assert_int_eq(compare(&w, text), 0);
	ck_assert_str_eq(text, "0");
	w.least[END_EOF] = w.most[END_EOF] = 4;
	w.least[END_RESET] = 3;
	w.attempts = 11;
	ck_assert_int_eq(compare(&w, text), 4);
	ck_assert_str_eq(text, "attempts: 10 in the result, 11 on the wire; reset: 2 in the "
			       "result, 3 on the wire; eof: 2 in the result, 4 on the wire");
	w = (struct ends){ .attempts = 10, .most = { 9, 9, 1, 9, 9 } };
	ck_assert_int_eq(compare(&w, text), 1);
	ck_assert_str_eq(text, "reset: 2 in the result, 0 to 1 on the wire");
}
END_TEST

START_TEST(a_result_may_count_as_far_as_it_likes)
{
	const char *most = "{'outcomes': [{'cause': 'finished', 'count': 9223372036854775807},"
			   "              {'cause': 'finished', 'count': 9223372036854775807}]}";
	const char *least = "{'outcomes': [{'cause': 'finished', 'count': -9223372036854775807},"
			    "              {'cause': 'finished', 'count': -9223372036854775807}]}";
	const struct ends w = { .most = { [END_OWN] = 3 } };
	char text[128];

	ck_assert_int_eq(compare_to(most, &w, text), INT32_MAX);
	ck_assert_int_eq(compare_to(least, &w, text), INT32_MAX);
}
END_TEST

Suite *drill_ends_suite(void)
{
	Suite *s = suite_create("drill_ends");
	TCase *t = tcase_create("ends");

	tcase_add_loop_test(t, what_came_first_is_how_it_ended, 0, ARRAY_LEN(talks));
	tcase_add_test(t, a_port_has_one_connection_after_another_and_a_repeated_syn_is_none);
	tcase_add_test(t, on_a_late_machine_a_limit_may_have_been_over_first);
	tcase_add_test(t, what_comes_when_the_run_is_over_is_not_counted_against_the_client);
	tcase_add_test(t, a_result_agrees_with_what_the_wire_allows);
	tcase_add_test(t, a_result_may_count_as_far_as_it_likes);
	suite_add_tcase(s, t);
	return s;
}
