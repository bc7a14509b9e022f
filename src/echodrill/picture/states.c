/* SPDX-License-Identifier: MIT
 * states: the state machine of RFC 9293, figure 5, as far as segments drive it. What only a timer
 * or a program does (a kernel that gives up, TIME-WAIT that ends) shows in what was observed.
 */
#include "states.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echodrill/rig/frame.h"

static const char *const names[END_STATES] = {
	[END_CLOSED] = "",
	[END_SYN_SENT] = "SYN-SENT",
	[END_SYN_RECV] = "SYN-RECV",
	[END_ESTAB] = "ESTAB",
	[END_FIN_WAIT_1] = "FIN-WAIT-1",
	[END_FIN_WAIT_2] = "FIN-WAIT-2",
	[END_CLOSE_WAIT] = "CLOSE-WAIT",
	[END_CLOSING] = "CLOSING",
	[END_LAST_ACK] = "LAST-ACK",
	[END_TIME_WAIT] = "TIME-WAIT",
};

const char *states_name(enum end_state s)
{
	assert(s < END_STATES);
	return names[s];
}

void states_sent(struct end *e, const struct frame *f)
{
	if (f->flags & FRAME_RST) {
		e->state = END_CLOSED;
		return;
	}
	if (f->flags & FRAME_SYN && e->state == END_CLOSED)
		*e = (struct end){ .state = END_SYN_SENT };
	if (!(f->flags & FRAME_FIN) || e->finished)
		return;
	e->finished = true;
	e->fin_end = f->seq + f->len + 1;
	if (e->state == END_ESTAB || e->state == END_SYN_RECV)
		e->state = END_FIN_WAIT_1;
	else if (e->state == END_CLOSE_WAIT)
		e->state = END_LAST_ACK;
}

/* Our FIN is acknowledged. */
static void fin_acknowledged(struct end *e)
{
	static const enum end_state next[END_STATES] = {
		[END_FIN_WAIT_1] = END_FIN_WAIT_2,
		[END_CLOSING] = END_TIME_WAIT,
	};

	if (e->state == END_LAST_ACK)
		e->state = END_CLOSED;
	else if (next[e->state])
		e->state = next[e->state];
}

static void fin_received(struct end *e)
{
	static const enum end_state next[END_STATES] = {
		[END_SYN_RECV] = END_CLOSE_WAIT,
		[END_ESTAB] = END_CLOSE_WAIT,
		[END_FIN_WAIT_1] = END_CLOSING,
		[END_FIN_WAIT_2] = END_TIME_WAIT,
	};

	if (next[e->state])
		e->state = next[e->state];
}

void states_received(struct end *e, const struct frame *f)
{
	if (f->flags & FRAME_RST) {
		e->state = END_CLOSED;
		return;
	}
	if (f->flags & FRAME_SYN) {
		if (e->state == END_SYN_SENT && f->flags & FRAME_ACK)
			e->state = END_ESTAB;
		else if (e->state == END_CLOSED && !(f->flags & FRAME_ACK))
			*e = (struct end){ .state = END_SYN_RECV };
		return;
	}
	if (e->state == END_SYN_RECV && f->flags & FRAME_ACK)
		e->state = END_ESTAB;
	if (e->finished && f->flags & FRAME_ACK && (int32_t)(f->ack - e->fin_end) >= 0)
		fin_acknowledged(e);
	if (f->flags & FRAME_FIN)
		fin_received(e);
}

void states_observed(struct end *e, const char *words)
{
	if (strcmp(words, "none") == 0)
		e->state = END_CLOSED;
	if (strncmp(words, "1 ", 2) != 0)
		return;
	for (enum end_state s = END_SYN_SENT; s < END_STATES; s++)
		if (strcmp(words + 2, names[s]) == 0)
			e->state = s;
}
