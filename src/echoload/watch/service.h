/* SPDX-License-Identifier: MIT
 * service: how many of its connections a part of a load has lost, and when: so that the outages of
 * the whole load can be found when the results of all parts are merged (merge_outages.c).
 *
 * What happens is seldom: a connection goes down when it ends in an error, and is up again when it
 * has echoed. It is kept as rows, of a millisecond at first; when there is no room for one more,
 * rows become twice as long, and two of them one. So a short outage is told to the millisecond, and
 * no run needs more room than another.
 */
#ifndef ECHOLOAD_SERVICE_H
#define ECHOLOAD_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

enum { SERVICE_ROWS_MAX = 512 };

/* What happened in a time in which something did. Times are of the monotonic clock; -1: none. */
struct service_row {
	int64_t first_ns, last_ns; /* the first and the last of it */
	int64_t last_echo_ns;      /* of all connections, before the first error */
	int64_t back_ns;           /* when the first one was up again */
	uint64_t errors;           /* ends by an error; of a connection that fails again and again
				      one within --stall */
	uint64_t messages_lost;
	uint32_t down; /* connections, at its end */
};

struct service {
	struct service_row rows[SERVICE_ROWS_MAX];
	unsigned count;
	int64_t start_ns, length_ns; /* row i of time begins at start + i * length */
	uint32_t down;               /* now */
};

/* A connection that ended. */
struct service_loss {
	int64_t last_echo_ns;
	uint64_t messages_lost;
	bool counts; /* as one of row.errors */
	bool was_up;
};

void service_start(struct service *s, int64_t start_ns);
void service_lost(struct service *s, int64_t now_ns, const struct service_loss *loss);
/* One that was down has echoed. */
void service_back(struct service *s, int64_t now_ns);

/* The times of a row become those since @start_ns. */
void service_shift(struct service_row *row, int64_t start_ns);

#endif
