/* SPDX-License-Identifier: MIT
 * arrivals: the open loop. Messages are due by the clock (pace.c), whatever the server does; each
 * is sent on the connection that has been ready the longest. What is due while none has room waits,
 * and its latency counts from when it was due.
 */
#include <assert.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/base/hist.h"
#include "load_conn.h"

enum { BATCH = 64 }; /* sends before it is the receiver's turn again */

/* Notes how much later than it could have been a message goes out. */
static void arrivals_note_lateness(struct load *l, int64_t due_ns, int64_t now_ns)
{
	int64_t since_ns = due_ns > l->room_since_ns ? due_ns : l->room_since_ns;
	int64_t late_ns = now_ns > since_ns ? now_ns - since_ns : 0;

	if (due_ns < l->run->measure_ns)
		return;
	hist_record(l->lateness, late_ns);
	l->late_sends += late_ns > LOAD_LATE_NS;
}

/* Whether it has been due for longer than an answer may take: it is given up. */
static bool arrivals_missed(const struct load *l, int64_t due_ns, int64_t now_ns)
{
	int64_t timeout_ns = l->run->config->timeout;

	return timeout_ns > 0 && now_ns - due_ns > timeout_ns;
}

/* The connection that has been ready the longest; NULL: none is. One that ended in this turn is in
 * the list until it is reaped, but a message given to it would be lost for certain. */
static struct load_conn *arrivals_first(struct load *l)
{
	while (!list_empty(&l->ready)) {
		struct load_conn *lc = container_of(list_first(&l->ready), struct load_conn, ready);

		if (lc->conn->state == CONN_OPEN)
			return lc;
		list_remove(&lc->ready);
	}
	return NULL;
}

/* The last message was sent: connections that owe nothing are closed here, since no answer that
 * comes for them will do it. */
static void arrivals_finish(struct load *l)
{
	while (!list_empty(&l->ready)) {
		struct load_conn *lc = container_of(list_first(&l->ready), struct load_conn, ready);

		list_remove(&lc->ready);
		sending_pump(lc->conn);
	}
}

void arrivals_run(struct load *l)
{
	const int64_t end_ns =
		l->run->end_ns; /* what is due later is not ours, however late we are */
	int64_t now_ns = clock_now_ns(), due_ns = pace_due_ns(&l->pace);

	for (int i = 0; i < BATCH && due_ns <= now_ns && due_ns < end_ns && !load_no_more(l);) {
		struct load_conn *lc = arrivals_first(l);

		if (arrivals_missed(l, due_ns, now_ns)) {
			l->missed++;
		} else if (!lc) {
			break;
		} else {
			arrivals_note_lateness(l, due_ns, now_ns);
			sending_begin(lc, 1, due_ns, now_ns);
			list_remove(&lc->ready); /* if it still has room it goes to the end */
			sending_pump(lc->conn);
			now_ns = clock_now_ns();
			i++;
		}
		pace_advance(&l->pace);
		due_ns = pace_due_ns(&l->pace);
	}
	if (load_no_more(l))
		arrivals_finish(l);
	l->worker->pace_ns = list_empty(&l->ready) ? 0 : due_ns;
}

void arrivals_start(struct load *l)
{
	const struct load_config *whole = l->run->whole;

	pace_init(&l->pace, l->run->start_ns, whole->rate, &l->turns);
	if (whole->arrivals == ARRIVALS_POISSON)
		pace_set_poisson(&l->pace, whole->seed, l->pace_heap);
}

void arrivals_resume(struct load *l, int64_t since_ns)
{
	l->pace.start_ns += clock_now_ns() - since_ns;
}

void arrivals_stop(struct load *l)
{
	int64_t now_ns = clock_now_ns();
	int64_t end_ns = now_ns < l->run->end_ns ? now_ns : l->run->end_ns;

	for (; l->quota > l->missed && pace_due_ns(&l->pace) < end_ns; pace_advance(&l->pace))
		l->missed++;
	l->worker->pace_ns = 0;
}
