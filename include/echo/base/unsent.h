/* SPDX-License-Identifier: MIT
 * unsent: bytes that a socket refused: one pool of blocks a worker, one queue a connection.
 *
 * The pool is reserved whole at start (mmap: memory is touched on use) and hands out fixed blocks,
 * so a slow reader costs what it owes and nothing fragments. An empty queue owns no block.
 */
#ifndef ECHO_UNSENT_H
#define ECHO_UNSENT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { UNSENT_BLOCK = 4096 }; /* bytes of a block, its header included */

struct unsent_block;

struct unsent_pool {
	struct unsent_block *free; /* given back before */
	char *fresh, *end;         /* never used yet */
	void *map;
	size_t map_len;
	uint32_t blocks;
	_Atomic uint32_t blocks_free; /* written by the owner alone; anybody may look */
};

struct unsent {     /* zeroed: empty */
	size_t len; /* bytes queued; the first member, as mostly 0 and the only one read then */
	struct unsent_block *head, *tail;
	uint32_t head_off, tail_len;
};

/* Reserves @bytes of memory (rounded up to whole blocks, at least one; every block carries
 * UNSENT_BLOCK - sizeof(void *) of them). Returns 0 or -ENOMEM. */
int unsent_pool_init(struct unsent_pool *p, size_t bytes);
/* Gives the memory back, with what is still queued. Nothing for a pool of zeroes. */
void unsent_pool_fini(struct unsent_pool *p);

/* Blocks that no queue holds now. */
static inline uint32_t unsent_free(const struct unsent_pool *p)
{
	return atomic_load_explicit(&p->blocks_free, memory_order_relaxed);
}

/* Blocks that @len bytes fill; UINT32_MAX if there are not so many. */
uint32_t unsent_blocks(size_t len);

/* Bytes that unsent_push to @q takes now: exactly; one more is refused. */
size_t unsent_room(const struct unsent_pool *p, const struct unsent *q);

/* Copies all @len bytes to the end of @q, or nothing. Returns 0 or -ENOBUFS. */
int unsent_push(struct unsent_pool *p, struct unsent *q, const void *span, size_t len);

/* Describes the oldest bytes of @q in at most @max vectors. Returns the number of vectors. They
 * hold until the bytes are popped: a push moves nothing. */
int unsent_peek(const struct unsent *q, struct iovec *v, int max);

/* Calls @each for all bytes of @q, oldest first. */
void unsent_each(const struct unsent *q, void (*each)(void *arg, const void *span, size_t len),
		 void *arg);

/* Drops the oldest @len <= q->len bytes and gives their blocks back. */
void unsent_pop(struct unsent_pool *p, struct unsent *q, size_t len);

/* Drops all. */
void unsent_clear(struct unsent_pool *p, struct unsent *q);

#endif
