/* SPDX-License-Identifier: MIT
 * test_unsent: queues that share a small pool, against plain arrays of bytes.
 */
#include "echo/base/unsent.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/rng.h"

#include "suites.h"

enum {
	DATA = UNSENT_BLOCK - sizeof(void *), /* what a block carries */
	BLOCKS = 5,
	ROUNDS = 20000,
};

struct model {
	struct unsent q;
	unsigned char bytes[BLOCKS * DATA];
	size_t len;
};

static struct unsent_pool pool;
static unsigned char junk[(BLOCKS + 1) * DATA];

static void setup(void)
{
	uint64_t seed = 1;

	ck_assert_int_eq(unsent_pool_init(&pool, BLOCKS * UNSENT_BLOCK), 0);
	for (size_t i = 0; i < sizeof(junk); i++)
		junk[i] = (unsigned char)rng_next(&seed);
}

static void teardown(void)
{
	unsent_pool_fini(&pool);
}

/* All that is peeked, in vectors of at most @max, is what the model holds. */
static void check_content(struct model *m, int max)
{
	struct iovec v[BLOCKS + 1];
	size_t len = 0;
	int n = unsent_peek(&m->q, v, max);

	ck_assert_int_le(n, max);
	for (int i = 0; i < n; i++) {
		ck_assert_uint_gt(v[i].iov_len, 0);
		ck_assert_uint_le(len + v[i].iov_len, m->len);
		ck_assert(memcmp(v[i].iov_base, m->bytes + len, v[i].iov_len) == 0);
		len += v[i].iov_len;
	}
	ck_assert_uint_eq(m->q.len, m->len);
	if (n < max)
		ck_assert_uint_eq(len, m->len);
}

static void push(struct model *m, size_t len, uint64_t *seed)
{
	const unsigned char *from = junk + rng_below(seed, sizeof(junk) - len + 1);
	size_t room = unsent_room(&pool, &m->q);
	int r = unsent_push(&pool, &m->q, from, len);

	ck_assert_int_eq(r, len <= room ? 0 : -ENOBUFS);
	if (r < 0)
		return;
	memcpy(m->bytes + m->len, from, len);
	m->len += len;
}

static void pop(struct model *m, size_t len)
{
	unsent_pop(&pool, &m->q, len);
	m->len -= len;
	memmove(m->bytes, m->bytes + len, m->len);
}

static void random_step(struct model *m, uint64_t *seed)
{
	switch (rng_below(seed, 8)) {
	case 0:
		push(m, rng_below(seed, sizeof(junk) + 1), seed);
		break;
	case 1:
		push(m, unsent_room(&pool, &m->q), seed);
		break;
	case 2:
	case 3:
		push(m, rng_below(seed, 300), seed);
		break;
	case 4:
		pop(m, m->len);
		break;
	default:
		pop(m, rng_below(seed, m->len + 1));
	}
}

START_TEST(queues_that_share_a_pool_keep_their_bytes_in_order)
{
	static struct model m[2];
	uint64_t seed = 2;

	memset(m, 0, sizeof(m));
	for (int i = 0; i < ROUNDS; i++) {
		random_step(&m[rng_below(&seed, 2)], &seed);
		check_content(&m[0], BLOCKS + 1);
		check_content(&m[1], (int)rng_below(&seed, BLOCKS + 1));
		if (m[0].len == 0 && m[1].len == 0)
			ck_assert_uint_eq(pool.blocks_free, BLOCKS);
	}
	unsent_clear(&pool, &m[0].q);
	unsent_clear(&pool, &m[1].q);
	ck_assert_uint_eq(pool.blocks_free, BLOCKS);
}
END_TEST

START_TEST(room_is_exact_and_a_refused_push_changes_nothing)
{
	struct unsent q = { 0 }, before;

	for (size_t filled = 0; filled <= 2 * DATA; filled += DATA / 2) {
		ck_assert_int_eq(unsent_push(&pool, &q, junk, filled), 0);
		size_t room = unsent_room(&pool, &q);

		ck_assert_uint_eq(room, BLOCKS * DATA - filled);
		before = q;
		ck_assert_int_eq(unsent_push(&pool, &q, junk, room + 1), -ENOBUFS);
		ck_assert_mem_eq(&before, &q, sizeof(q));
		ck_assert_int_eq(unsent_push(&pool, &q, junk, room), 0);
		ck_assert_uint_eq(unsent_room(&pool, &q), 0);
		unsent_clear(&pool, &q);
	}
}
END_TEST

START_TEST(a_dry_pool_refuses_until_another_queue_gives_back)
{
	struct unsent hog = { 0 }, other = { 0 };

	ck_assert_int_eq(unsent_push(&pool, &hog, junk, BLOCKS * DATA), 0);
	ck_assert_int_eq(unsent_push(&pool, &other, junk, 1), -ENOBUFS);
	unsent_pop(&pool, &hog, DATA - 1);
	ck_assert_uint_eq(unsent_room(&pool, &other), 0);
	unsent_pop(&pool, &hog, 1);
	ck_assert_uint_eq(unsent_room(&pool, &other), DATA);
	ck_assert_int_eq(unsent_push(&pool, &other, junk, DATA), 0);
	unsent_clear(&pool, &hog);
	unsent_clear(&pool, &other);
	ck_assert_uint_eq(pool.blocks_free, BLOCKS);
}
END_TEST

START_TEST(so_many_blocks_free_are_room_for_the_bytes_that_fill_them)
{
	struct unsent q = { 0 };
	struct unsent_pool own;
	const size_t lens[] = { 1, UNSENT_BLOCK - sizeof(void *), UNSENT_BLOCK, 65536, 1 << 20 };

	ck_assert_uint_eq(unsent_blocks(0), 0);
	ck_assert_uint_eq(unsent_blocks(SIZE_MAX), UINT32_MAX);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		uint32_t n = unsent_blocks(lens[i]);

		ck_assert_int_eq(unsent_pool_init(&own, (size_t)n * UNSENT_BLOCK), 0);
		ck_assert_uint_ge(unsent_room(&own, &q), lens[i]);
		unsent_pool_fini(&own);
		if (n == 1)
			continue;
		ck_assert_int_eq(unsent_pool_init(&own, (size_t)(n - 1) * UNSENT_BLOCK), 0);
		ck_assert_uint_lt(unsent_room(&own, &q), lens[i]); /* one fewer is too few */
		unsent_pool_fini(&own);
	}
}
END_TEST

START_TEST(an_empty_queue_owns_no_block)
{
	struct unsent q = { 0 }, zero = { 0 };
	struct iovec v;

	ck_assert_int_eq(unsent_push(&pool, &q, NULL, 0), 0);
	ck_assert_uint_eq(pool.blocks_free, BLOCKS);
	ck_assert_int_eq(unsent_push(&pool, &q, junk, 10), 0);
	unsent_pop(&pool, &q, 4);
	ck_assert_uint_eq(pool.blocks_free, BLOCKS - 1);
	unsent_pop(&pool, &q, 6);
	ck_assert_uint_eq(pool.blocks_free, BLOCKS);
	ck_assert_mem_eq(&q, &zero, sizeof(q));
	ck_assert_int_eq(unsent_peek(&q, &v, 1), 0);
	unsent_clear(&pool, &q);
}
END_TEST

START_TEST(a_pool_is_rounded_up_to_blocks)
{
	static const struct {
		size_t bytes, blocks;
	} cases[] = { { 0, 1 },
		      { 1, 1 },
		      { UNSENT_BLOCK, 1 },
		      { UNSENT_BLOCK + 1, 2 },
		      { 10 * UNSENT_BLOCK, 10 } };
	struct unsent_pool p = { 0 };

	unsent_pool_fini(&p);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		ck_assert_int_eq(unsent_pool_init(&p, cases[i].bytes), 0);
		ck_assert_uint_eq(p.blocks, cases[i].blocks);
		unsent_pool_fini(&p);
	}
	ck_assert_int_eq(unsent_pool_init(&p, SIZE_MAX), -ENOMEM);
}
END_TEST

Suite *unsent_suite(void)
{
	Suite *s = suite_create("unsent");
	TCase *tc = tcase_create("unsent");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, queues_that_share_a_pool_keep_their_bytes_in_order);
	tcase_add_test(tc, so_many_blocks_free_are_room_for_the_bytes_that_fill_them);
	tcase_add_test(tc, room_is_exact_and_a_refused_push_changes_nothing);
	tcase_add_test(tc, a_dry_pool_refuses_until_another_queue_gives_back);
	tcase_add_test(tc, an_empty_queue_owns_no_block);
	tcase_add_test(tc, a_pool_is_rounded_up_to_blocks);
	suite_add_tcase(s, tc);
	return s;
}
