/* SPDX-License-Identifier: MIT
 * states: the state of one end of a connection, from the segments that it sent and received.
 */
#ifndef ECHODRILL_STATES_H
#define ECHODRILL_STATES_H

#include <stdbool.h>
#include <stdint.h>

struct frame;

/* Of RFC 9293, with the names that ss uses. */
enum end_state {
	END_CLOSED,
	END_SYN_SENT,
	END_SYN_RECV,
	END_ESTAB,
	END_FIN_WAIT_1,
	END_FIN_WAIT_2,
	END_CLOSE_WAIT,
	END_CLOSING,
	END_LAST_ACK,
	END_TIME_WAIT,
	END_STATES
};

struct end {
	enum end_state state;
	bool finished;    /* it has sent its FIN */
	uint32_t fin_end; /* what acknowledges that */
};

void states_sent(struct end *e, const struct frame *f);
void states_received(struct end *e, const struct frame *f);

/* What the kernel itself said counts more than what follows from segments: "none", "1 ESTAB". Text
 * about several sockets says nothing of one. */
void states_observed(struct end *e, const char *words);

/* "ESTAB"; "" when it is closed. */
const char *states_name(enum end_state s);

#endif
