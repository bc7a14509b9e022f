/* SPDX-License-Identifier: MIT
 * limit: who is let in: so many connections of one address at a time, and so many new ones a
 * second. One for all workers; asked once for each connection, when it is accepted.
 *
 * An address of IPv6 stands for its /64, which is what one customer is given (RFC 6177): within it
 * a peer may choose as it likes.
 */
#ifndef ECHO_LIMIT_H
#define ECHO_LIMIT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "echo/base/cause.h"

struct limit_entry;
struct sockaddr_storage;

struct limit {
	uint32_t per_address; /* 0: any number */
	uint32_t rate;        /* a second, of which as many may come at once; 0: any number */

	_Atomic int64_t due_ns; /* when the next may come, had all come evenly */
	pthread_mutex_t lock;   /* of the rest */
	struct limit_entry *entries;
	uint32_t *buckets; /* the first of each chain; 0: none */
	uint32_t capacity, fresh, bucket_count, free;
	uint64_t seed; /* nobody can choose addresses that share a bucket */
};

/* With neither limit it does nothing. @connections: that can be open at a time. 0 or -errno. */
int limit_init(struct limit *l, uint32_t per_address, uint32_t rate, uint32_t connections);
void limit_fini(struct limit *l);

/* Whether a connection that has just been accepted may stay: CAUSE_NONE, or why not. *entry: to be
 * given to limit_leave at its end, 0: nothing to leave. */
enum cause limit_enter(struct limit *l, int fd, int64_t now_ns, uint32_t *entry);

/* One that another process had accepted: it counts, whatever the limits. Returns the entry. */
uint32_t limit_join(struct limit *l, int fd);

void limit_leave(struct limit *l, uint32_t entry);

/* The two halves of limit_enter, for addresses that no socket has. */
enum cause limit_enter_address(struct limit *l, const struct sockaddr_storage *from,
			       uint32_t *entry);
enum cause limit_enter_rate(struct limit *l, int64_t now_ns);

#endif
