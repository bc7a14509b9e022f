/* SPDX-License-Identifier: MIT
 * part: a load that several processes make together, mostly on several hosts. What is asked for is
 * the whole load; each makes a share of it that differs from any other by one at most, so that all
 * parts together do what one process would have done.
 */
#ifndef ECHOLOAD_PART_H
#define ECHOLOAD_PART_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PARTS_MAX = 100 * 1000,
	PART_TEXT_MAX = 64,
};

struct load_config;
struct opt_set;
struct opt_type;

/* The option --part. "1/1" is a whole load. */
struct part {
	uint32_t number, count;   /* K of N, from 1 */
	bool automatic;           /* a launcher's environment says it; count 0: that of N too */
	char from[PART_TEXT_MAX]; /* the variable that has said it; "": the option itself */
	char run[PART_TEXT_MAX];  /* what all parts of one run have alike: the launcher's name of
				     it; "": it has none */
};

/* "K/N", "auto", "auto/N". */
extern const struct opt_type opt_part;

/* Takes `auto` from the environment. Returns 0, or -EINVAL with s->error set. */
int part_resolve(struct opt_set *s, struct part *p, char *(*get)(const char *name));

/* The share that @p has of @total things, and how many of them belong to earlier parts. Thing
 * number i, from 0, belongs to part i mod N. */
uint64_t part_share_of(const struct part *p, uint64_t total);
uint64_t part_before(const struct part *p, uint64_t total);

/* What this part is asked for: @share is @whole with its share of connections, messages, rate, idle
 * connections, and of the limits that are sums. */
void part_share(const struct load_config *whole, struct load_config *share);

/* Refuses a part that would have no connection, or no message. Returns 0, or -EINVAL with s->error
 * set. */
int part_check(struct opt_set *s, const struct load_config *whole);

/* The place of connection @number of @whole, those of --idle included, when all connections are
 * counted part by part: each part's are in a row, so that both it and all together are spread
 * evenly over targets. */
uint64_t part_place(const struct load_config *whole, uint64_t number);

/* How many of this part's connections, idle ones left out, have a place that is @target modulo
 * @count. */
uint32_t part_requested(const struct load_config *whole, unsigned target, unsigned count);

#endif
