/* SPDX-License-Identifier: MIT
 * limit: who is let in: so many connections of one address at a time, and so many new ones a
 * second. One for all workers; asked once for each connection, when it is accepted. How many that
 * are is the caller's to say each time, and may be another every time.
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

enum { LIMIT_ANY = UINT32_MAX }; /* connections of an address: any number, but they are counted */

struct limit {
	uint32_t connections;   /* that can be open at a time */
	_Atomic int64_t due_ns; /* when the next may come, had all come evenly */

	pthread_mutex_t lock; /* of the rest */
	struct limit_entry *entries;
	uint32_t *buckets; /* the first of each chain; 0: none */
	uint32_t capacity, fresh, bucket_count, free;
	uint64_t seed; /* nobody can choose addresses that share a bucket */
};

/* @connections: that can be open at a time. */
void limit_init(struct limit *l, uint32_t connections);
void limit_fini(struct limit *l);

/* Reserves the table of addresses, unless there is one. Before anybody is counted: before workers
 * run, or before they are told to. 0 or -ENOMEM. */
int limit_open(struct limit *l);

/* Whether a connection that has just been accepted may stay where its address may have @most:
 * CAUSE_NONE, or why not. *entry: to be given to limit_leave at its end, 0: nothing to leave. */
enum cause limit_enter(struct limit *l, uint32_t most, int fd, uint32_t *entry);

/* Whether one more may come where @rate may a second, of which as many may come at once. */
enum cause limit_enter_rate(struct limit *l, uint32_t rate, int64_t now_ns);

/* One that is open already: it counts, however many there are. Returns the entry. */
uint32_t limit_join(struct limit *l, int fd);

void limit_leave(struct limit *l, uint32_t entry);

/* As limit_enter, for an address that no socket has. */
enum cause limit_enter_address(struct limit *l, uint32_t most, const struct sockaddr_storage *from,
			       uint32_t *entry);

#endif
