/* SPDX-License-Identifier: MIT
 * limit: a table of the addresses that have connections now, and one instant for the rate (the
 * generic cell rate algorithm, ITU-T I.371): each that is let in moves it by one interval, and who
 * would move it more than a second ahead of the clock is one too many.
 */
#include "echo/net/limit.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "echo/base/base.h"
#include "echo/base/clock.h"

struct limit_key {
	uint64_t high, low; /* of an address of IPv6, or one of IPv4 mapped into those */
};

struct limit_entry {
	struct limit_key key;
	uint32_t count; /* connections */
	uint32_t next;  /* in its bucket, or free; 0: none */
};

static void *limit_map(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void limit_init(struct limit *l, uint32_t connections)
{
	*l = (struct limit){ .connections = connections };
	(void)pthread_mutex_init(&l->lock, NULL);
}

static void limit_unmap(struct limit *l)
{
	if (l->entries)
		munmap(l->entries, l->capacity * sizeof(*l->entries));
	if (l->buckets)
		munmap(l->buckets, l->bucket_count * sizeof(*l->buckets));
	l->entries = NULL;
	l->buckets = NULL;
}

int limit_open(struct limit *l)
{
	if (l->entries)
		return 0;
	l->capacity = l->fresh = l->connections + 1; /* number 0 is none */
	for (l->bucket_count = 1; l->bucket_count < l->connections;)
		l->bucket_count *= 2;
	if (getrandom(&l->seed, sizeof(l->seed), GRND_NONBLOCK) < 0)
		l->seed = (uint64_t)clock_now_ns();
	l->entries = limit_map(l->capacity * sizeof(*l->entries));
	l->buckets = limit_map(l->bucket_count * sizeof(*l->buckets));
	if (l->entries && l->buckets)
		return 0;
	limit_unmap(l);
	return -ENOMEM;
}

void limit_fini(struct limit *l)
{
	limit_unmap(l);
}

/* Peers of a unix socket have none. */
static bool limit_has_address(const struct sockaddr_storage *from)
{
	return from->ss_family == AF_INET || from->ss_family == AF_INET6;
}

static struct limit_key limit_key(const struct sockaddr_storage *from)
{
	const struct sockaddr_in6 *six = (const void *)from;
	const struct sockaddr_in *four = (const void *)from;
	struct limit_key k = { 0, 0 };

	if (from->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
		memcpy(&k.high, six->sin6_addr.s6_addr, sizeof(k.high));
	else if (from->ss_family == AF_INET6)
		memcpy(&k.low, six->sin6_addr.s6_addr + 12, 4);
	else
		memcpy(&k.low, &four->sin_addr, 4);
	return k;
}

static uint32_t *limit_bucket(const struct limit *l, const struct limit_key *k)
{
	uint64_t h = (k->high ^ l->seed) * 0x9e3779b97f4a7c15u; /* 2^64 / the golden ratio */

	h = (h ^ (h >> 32) ^ k->low ^ (l->seed << 1)) * 0x9e3779b97f4a7c15u;
	return &l->buckets[(h >> 32) & (l->bucket_count - 1)];
}

static uint32_t limit_find(const struct limit *l, const struct limit_key *k, uint32_t i)
{
	while (i && (l->entries[i].key.high != k->high || l->entries[i].key.low != k->low))
		i = l->entries[i].next;
	return i;
}

/* A new entry for the key, 0: there are as many addresses as there can be connections. */
static uint32_t limit_take(struct limit *l, const struct limit_key *k, uint32_t *bucket)
{
	uint32_t i = l->free;

	if (i)
		l->free = l->entries[i].next;
	else if (l->fresh > 1)
		i = l->capacity - --l->fresh;
	else
		return 0;
	l->entries[i] = (struct limit_entry){ .key = *k, .next = *bucket };
	*bucket = i;
	return i;
}

/* Returns the entry, 0: it is one too many. */
static uint32_t limit_count(struct limit *l, uint32_t most, const struct sockaddr_storage *from)
{
	const struct limit_key k = limit_key(from);
	uint32_t *bucket, i;

	assert(l->entries);
	pthread_mutex_lock(&l->lock);
	bucket = limit_bucket(l, &k);
	i = limit_find(l, &k, *bucket);
	if (!i)
		i = limit_take(l, &k, bucket);
	else if (l->entries[i].count >= most)
		i = 0;
	if (i)
		l->entries[i].count++;
	pthread_mutex_unlock(&l->lock);
	return i;
}

enum cause limit_enter_address(struct limit *l, uint32_t most, const struct sockaddr_storage *from,
			       uint32_t *entry)
{
	*entry = limit_count(l, most, from);
	return *entry ? CAUSE_NONE : CAUSE_ADDRESS_LIMIT;
}

/* Whether the peer has an address: one that has gone already has none any more, and ends soon. */
static bool limit_address(int fd, struct sockaddr_storage *from)
{
	socklen_t len = sizeof(*from);

	*from = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
	return getpeername(fd, (struct sockaddr *)from, &len) == 0 && limit_has_address(from);
}

enum cause limit_enter(struct limit *l, uint32_t most, int fd, uint32_t *entry)
{
	struct sockaddr_storage from;

	*entry = 0;
	return limit_address(fd, &from) ? limit_enter_address(l, most, &from, entry) : CAUSE_NONE;
}

uint32_t limit_join(struct limit *l, int fd)
{
	struct sockaddr_storage from;

	return limit_address(fd, &from) ? limit_count(l, LIMIT_ANY, &from) : 0;
}

enum cause limit_enter_rate(struct limit *l, uint32_t rate, int64_t now_ns)
{
	const int64_t interval_ns = SEC(1) / rate;
	int64_t due_ns = atomic_load_explicit(&l->due_ns, memory_order_relaxed), next_ns;

	do {
		next_ns = (due_ns > now_ns ? due_ns : now_ns) + interval_ns;
		if (next_ns - now_ns > SEC(1))
			return CAUSE_RATE_LIMIT;
	} while (!atomic_compare_exchange_weak_explicit(
		&l->due_ns, &due_ns, next_ns, memory_order_relaxed, memory_order_relaxed));
	return CAUSE_NONE;
}

void limit_leave(struct limit *l, uint32_t entry)
{
	uint32_t *link;

	if (!entry)
		return;
	pthread_mutex_lock(&l->lock);
	assert(l->entries[entry].count > 0);
	if (--l->entries[entry].count == 0) {
		link = limit_bucket(l, &l->entries[entry].key);
		while (*link != entry)
			link = &l->entries[*link].next;
		*link = l->entries[entry].next;
		l->entries[entry].next = l->free;
		l->free = entry;
	}
	pthread_mutex_unlock(&l->lock);
}
