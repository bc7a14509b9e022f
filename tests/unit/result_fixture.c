/* SPDX-License-Identifier: MIT
 * result_fixture: see result_fixture.h.
 */
#include "result_fixture.h"

#include <signal.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/hist.h"
#include "echoload/result/verdict.h"

struct result sample;
struct load_config sample_config;

const struct outage sample_outages[SAMPLE_OUTAGES] = {
	{ SEC(2), SEC(2) + MSEC(4), SEC(2) + MSEC(808), SEC(2) + MSEC(956), 3, false },
	{ SEC(5), SEC(6), -1, -1, 0, true },
};

static struct hist *latency, *outside, *empty;
static struct target_result sample_targets[SAMPLE_TARGETS];

void sample_clear(void)
{
	memset(&sample.books, 0, sizeof(sample.books));
	hist_clear(latency);
	hist_clear(outside);
}

static void setup(void)
{
	static char program[] = "echoload", target[] = "h\xff:7007";
	static char *argv[] = { program, target, NULL };
	static const struct outcome finished = { .cause = CAUSE_FINISHED,
						 .at = PHASE_CLOSING,
						 .count = 4,
						 .first_ns = SEC(11),
						 .last_ns = SEC(11) + 5 };
	struct books *b = &sample.books;

	memset(sample_targets, 0, sizeof(sample_targets));
	sample_targets[0] = (struct target_result){ .name = "h:7007",
						    .address = "192.0.2.1:7007",
						    .requested = 4 };
	latency = hist_new(3);
	outside = hist_new(3);
	empty = hist_new(3);
	ck_assert(latency && outside);
	sample_config = (struct load_config){ .connections = 4,
					      .duration = SEC(10),
					      .pipeline = 1,
					      .size = { .min = 64, .max = 64 },
					      .verify = true };
	sample = (struct result){ .config = &sample_config,
				  .argc = 2,
				  .argv = argv,
				  .backend = "epoll",
				  .backend_why = "",
				  .targets = sample_targets,
				  .target_count = 1,
				  .threads = 2,
				  .latency = latency,
				  .outside = outside,
				  .uncorrected = latency,
				  .lateness = empty,
				  .connect = empty,
				  .start_unix_ns = 1,
				  .duration_ns = SEC(11),
				  .measure_begin_ns = SEC(1),
				  .measure_end_ns = SEC(11),
				  .cpu_ns = SEC(11),
				  .steal_ns = -1,
				  .bottleneck = BOTTLENECK_SERVER,
				  .interrupted_by = SIGINT };
	b->attempts = b->established = b->reached = b->peak = 4;
	b->planned = b->all.sent = b->all.echoed = 100;
	b->measured.sent = b->measured.echoed = 80;
	b->bytes_sent = b->bytes_received = b->bytes_echoed = 6400;
	books_outcome(b, &finished);
	for (int i = 0; i < 80; i++) {
		hist_record(latency, USEC(i + 1));
		hist_record(outside, USEC(i + 1));
	}
}

static void teardown(void)
{
	hist_free(latency);
	hist_free(outside);
	hist_free(empty);
}

TCase *result_tcase(const char *name)
{
	TCase *t = tcase_create(name);

	tcase_add_checked_fixture(t, setup, teardown);
	return t;
}

void sample_fails(enum cause cause, enum phase at, int err, uint64_t n)
{
	struct books *b = &sample.books;
	const struct outcome o = { .cause = cause,
				   .at = at,
				   .err = err,
				   .count = n,
				   .messages_lost = n,
				   .first_ns = SEC(2),
				   .last_ns = SEC(2) + MSEC(3) };

	b->attempts += n;
	b->established += n;
	b->planned += n;
	b->all.sent += n;
	b->all.lost += n;
	b->lost[LOST_UNACKED] += n;
	books_outcome(b, &o);
	books_sort(b);
}

void sample_connect_fails(enum cause cause, int err, uint64_t n)
{
	const struct outcome o = { .cause = cause, .at = PHASE_CONNECTING, .err = err, .count = n };

	sample.books.attempts += n;
	sample.books.failed += n;
	books_outcome(&sample.books, &o);
	books_sort(&sample.books);
}

void sample_finish(void)
{
	sample.targets[0].books = sample.books;
	verdict(&sample);
}
