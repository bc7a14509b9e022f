/* SPDX-License-Identifier: MIT
 * unsent: queues of bytes that sockets refused, chained from the blocks of one pool a worker.
 *
 * A block is a link and bytes. Only the head of a queue is consumed in part and only its tail is
 * filled in part, so two offsets describe the whole chain. Blocks given back are used again before
 * fresh ones: a worker that was never behind touches no memory, one that was touches it once.
 */
#include "echo/base/unsent.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "echo/base/base.h"

enum { DATA = UNSENT_BLOCK - sizeof(struct unsent_block *) }; /* bytes that a block carries */

struct unsent_block {
	struct unsent_block *next;
	char data[DATA];
};

static_assert(sizeof(struct unsent_block) == UNSENT_BLOCK, "blocks must tile the pool");

static void free_set(struct unsent_pool *p, uint32_t n)
{
	atomic_store_explicit(&p->blocks_free, n, memory_order_relaxed);
}

static struct unsent_block *block_take(struct unsent_pool *p)
{
	struct unsent_block *b = p->free;

	assert(unsent_free(p) > 0);
	assert(b || p->fresh < p->end);
	if (b) {
		p->free = b->next;
	} else {
		b = (struct unsent_block *)(void *)p->fresh;
		p->fresh += UNSENT_BLOCK;
	}
	free_set(p, unsent_free(p) - 1);
	b->next = NULL;
	return b;
}

static void block_give(struct unsent_pool *p, struct unsent_block *b)
{
	assert(unsent_free(p) < p->blocks);
	assert((char *)b >= (char *)p->map && (char *)b < p->fresh);
	b->next = p->free;
	p->free = b;
	free_set(p, unsent_free(p) + 1);
}

int unsent_pool_init(struct unsent_pool *p, size_t bytes)
{
	size_t blocks = bytes / UNSENT_BLOCK + (bytes % UNSENT_BLOCK != 0 || bytes == 0);
	char *map;

	if (blocks > UINT32_MAX)
		return -ENOMEM;
	/* no MAP_NORESERVE: where overcommit is off, lack of memory must show now and not later */
	map = mmap(NULL, blocks * UNSENT_BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	*p = (struct unsent_pool){
		.fresh = map,
		.end = map + blocks * UNSENT_BLOCK,
		.map = map,
		.map_len = blocks * UNSENT_BLOCK,
		.blocks = (uint32_t)blocks,
		.blocks_free = (uint32_t)blocks,
	};
	return 0;
}

void unsent_pool_fini(struct unsent_pool *p)
{
	if (p->map)
		munmap(p->map, p->map_len);
	*p = (struct unsent_pool){ 0 };
}

static size_t tail_room(const struct unsent *q)
{
	return q->tail ? DATA - q->tail_len : 0;
}

uint32_t unsent_blocks(size_t len)
{
	size_t n = len / DATA + (len % DATA != 0);

	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

size_t unsent_room(const struct unsent_pool *p, const struct unsent *q)
{
	return (size_t)unsent_free(p) * DATA + tail_room(q);
}

static void tail_add(struct unsent *q, struct unsent_block *b)
{
	if (q->tail)
		q->tail->next = b;
	else
		q->head = b;
	q->tail = b;
	q->tail_len = 0;
}

int unsent_push(struct unsent_pool *p, struct unsent *q, const void *span, size_t len)
{
	const char *from = span;

	assert(!q->head == !q->tail && !q->head == (q->len == 0));
	assert(q->tail_len <= DATA && q->head_off < DATA);
	if (len > unsent_room(p, q))
		return -ENOBUFS;
	q->len += len;
	while (len > 0) {
		if (tail_room(q) == 0)
			tail_add(q, block_take(p));
		size_t n = size_min(len, tail_room(q));

		memcpy(q->tail->data + q->tail_len, from, n);
		q->tail_len += (uint32_t)n;
		from += n;
		len -= n;
	}
	return 0;
}

/* Bytes queued in block @b, of which @off are gone already. */
static size_t block_len(const struct unsent *q, const struct unsent_block *b, size_t off)
{
	return (b == q->tail ? q->tail_len : DATA) - off;
}

int unsent_peek(const struct unsent *q, struct iovec *v, int max)
{
	size_t off = q->head_off;
	int n = 0;

	for (struct unsent_block *b = q->head; b && n < max; b = b->next) {
		v[n].iov_base = b->data + off;
		v[n++].iov_len = block_len(q, b, off);
		off = 0;
	}
	return n;
}

void unsent_each(const struct unsent *q, void (*each)(void *arg, const void *span, size_t len),
		 void *arg)
{
	size_t off = q->head_off;

	for (const struct unsent_block *b = q->head; b; b = b->next) {
		each(arg, b->data + off, block_len(q, b, off));
		off = 0;
	}
}

static void head_drop(struct unsent_pool *p, struct unsent *q)
{
	struct unsent_block *b = q->head;

	q->head = b->next;
	q->head_off = 0;
	if (!q->head) {
		q->tail = NULL;
		q->tail_len = 0;
	}
	block_give(p, b);
}

void unsent_pop(struct unsent_pool *p, struct unsent *q, size_t len)
{
	assert(len <= q->len);
	assert(!q->head == (q->len == 0));
	q->len -= len;
	while (len > 0) {
		size_t n = block_len(q, q->head, q->head_off);

		if (len < n) {
			q->head_off += (uint32_t)len;
			return;
		}
		head_drop(p, q);
		len -= n;
	}
}

void unsent_clear(struct unsent_pool *p, struct unsent *q)
{
	unsent_pop(p, q, q->len);
}
