/* SPDX-License-Identifier: MIT
 * uring_bufs: the ring of buffers that all connections of a worker receive into: an idle connection
 * holds none, the kernel takes one when bytes are there.
 *
 * The kernel takes the one that has lain in the ring for longest, which has left the caches if all
 * of 256 lie there. So only a few do, and what is given back goes on top of a stack from which the
 * ring is filled up: with large messages that saves a tenth of an echo. A burst that finds the ring
 * empty doubles its depth.
 */
#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "echo/base/base.h"
#include "uring_private.h"

enum {
	CACHE_LINE = 64, /* equal strides would put all starts into the same cache sets */
	PAGE = 4096,
	GROUP = 0,
	DEPTH = 8, /* of the ring, to begin with */
};

static size_t round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

static void bufs_enqueue(struct uring_bufs *b, uint32_t id)
{
	assert(id < b->count && b->queued < b->count);
	io_uring_buf_ring_add(b->ring, uring_bufs_at(b, id), (unsigned)b->size, (unsigned short)id,
			      (int)b->count - 1, 0);
	io_uring_buf_ring_advance(b->ring, 1);
	b->queued++;
}

static void bufs_fill(struct uring_bufs *b)
{
	while (b->queued < b->depth && b->spare_count > 0)
		bufs_enqueue(b, b->spare[--b->spare_count]);
}

void uring_bufs_take(struct uring_bufs *b, uint32_t id, uint32_t len)
{
	b->queued--;
	b->spans[id] = (struct uring_span){ .len = len };
	bufs_fill(b);
}

void uring_bufs_give(struct uring_bufs *b, uint32_t id)
{
	assert(b->spare_count < b->count);
	b->spare[b->spare_count++] = (uint16_t)id;
	bufs_fill(b);
}

void uring_bufs_deepen(struct uring_bufs *b)
{
	if (b->depth < b->count)
		b->depth *= 2;
	bufs_fill(b);
}

/* mmap, not malloc: valgrind and the sanitizers then believe what the kernel writes there. */
static int bufs_map(struct uring_bufs *b)
{
	const size_t ring_len = round_up(b->count * sizeof(struct io_uring_buf), PAGE);
	const size_t spans_len = round_up(b->count * sizeof(struct uring_span), PAGE);
	const size_t spare_len = round_up(b->count * sizeof(*b->spare), PAGE);
	char *map;

	b->map_len = ring_len + spans_len + spare_len + (b->count + 1) * b->stride;
	map = mmap(NULL, b->map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	/* what peers have sent is nothing for core files; and smaps shows this memory by itself */
	(void)madvise(map, b->map_len, MADV_DONTDUMP);
	b->ring = (struct io_uring_buf_ring *)(void *)map;
	b->spans = (struct uring_span *)(void *)(map + ring_len);
	b->spare = (uint16_t *)(void *)(map + ring_len + spans_len);
	b->memory = map + ring_len + spans_len + spare_len;
	b->scratch = b->memory + b->count * b->stride;
	return 0;
}

int uring_bufs_init(struct uring_bufs *b, struct io_uring *ring, unsigned count, size_t size)
{
	struct io_uring_buf_reg reg = { .ring_entries = count, .bgid = GROUP };
	int r;

	assert(count > 0 && (count & (count - 1)) == 0 && count < URING_NONE);
	*b = (struct uring_bufs){ .count = count,
				  .size = size,
				  .depth = count < DEPTH ? count : DEPTH };
	b->stride = round_up(size, CACHE_LINE) + CACHE_LINE;
	r = bufs_map(b);
	if (r < 0)
		return r;
	reg.ring_addr = (uintptr_t)b->ring;
	r = io_uring_register_buf_ring(ring, &reg, 0);
	if (r < 0) {
		uring_bufs_fini(b);
		return r;
	}
	io_uring_buf_ring_init(b->ring);
	for (uint32_t id = count; id > 0; id--)
		b->spare[b->spare_count++] = (uint16_t)(id - 1);
	bufs_fill(b);
	return 0;
}

void uring_bufs_fini(struct uring_bufs *b)
{
	munmap(b->ring, b->map_len); /* the ring that named it has been closed */
	*b = (struct uring_bufs){ 0 };
}

void uring_queue_put(struct uring_bufs *b, struct uring_queue *q, uint32_t id)
{
	if (q->count++ == 0)
		q->first = (uint16_t)id;
	else
		b->spans[q->last].next = (uint16_t)id;
	q->last = (uint16_t)id;
}

uint32_t uring_queue_take(struct uring_bufs *b, struct uring_queue *q)
{
	uint32_t id = q->first;

	assert(q->count > 0);
	q->first = b->spans[id].next;
	q->count--;
	return id;
}
