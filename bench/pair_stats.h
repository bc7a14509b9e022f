/* SPDX-License-Identifier: MIT
 * pair_stats: what a key of two commands' results tells: the middle of ln(B / A) over rounds with
 * its interval, as echo/lab/paired.h has it. A round that somebody disturbed moves it little.
 */
#ifndef BENCH_PAIR_STATS_H
#define BENCH_PAIR_STATS_H

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo/lab/paired.h"

enum {
	MAX_ROUNDS = PAIRED_MAX,
	RESAMPLES = 2000,
	MIN_ROUNDS = 6,    /* fewer, and the interval is narrower than the truth */
	MANY_ROUNDS = 200, /* beyond, signed ranks alone: the two agree, and one is slow */
};

struct key {
	const char *label;                   /* as given: PATH or PATH_A=PATH_B */
	const char *path[2];                 /* in A's JSON and in B's */
	double value[2][MAX_ROUNDS];         /* of each whole round */
	double ratio[MAX_ROUNDS];            /* ln(B / A) */
	double middle[2], median, low, high; /* medians of A and B; B / A and its interval */
};

/* The number at a dotted path, or NAN. A path that ends at an object means its "echoed". */
static inline double key_number(const json_t *json, const char *path)
{
	char name[128];

	while (*path && json) {
		size_t len = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		json = json_is_array(json) ? json_array_get(json, (size_t)strtol(name, NULL, 10))
					   : json_object_get(json, name);
		path += len + (path[len] == '.');
	}
	if (json_is_object(json))
		json = json_object_get(json, "echoed"); /* messages of echoload/1 */
	return json_is_number(json) ? json_number_value(json) : (double)NAN;
}

static inline double key_median(const double *v, unsigned n)
{
	static double copy[MAX_ROUNDS];

	memcpy(copy, v, n * sizeof(*v));
	return paired_median(copy, n);
}

/* The middle of the ratios and its interval at 95 %. */
static inline void key_judge(struct key *k, unsigned n, uint64_t seed)
{
	struct paired p;

	paired_judge(&p, k->ratio, n, 0.05, n > MANY_ROUNDS ? 0 : RESAMPLES, seed);
	k->low = exp(p.low);
	k->high = exp(p.high);
	k->median = exp(p.middle);
	for (int s = 0; s < 2; s++)
		k->middle[s] = key_median(k->value[s], n);
}

/* Judges all keys. Returns whether every interval is within +-@width; 0: any is. */
static inline bool keys_judge(struct key *keys, unsigned count, unsigned n, double width,
			      uint64_t seed)
{
	bool narrow = n >= MIN_ROUNDS;

	for (unsigned i = 0; i < count && n > 0; i++) {
		struct key *k = &keys[i];

		key_judge(k, n, seed);
		if (width > 0 &&
		    (k->high / k->median > 1 + width || k->low / k->median < 1 - width))
			narrow = false;
	}
	return narrow;
}

/* What may be said: no winner while the interval holds 1. */
static inline const char *key_winner(const struct key *k)
{
	return k->low > 1 ? "B higher" : k->high < 1 ? "B lower" : "no difference";
}

static inline void keys_print(const struct key *keys, unsigned count, unsigned n)
{
	printf("%-28s %12s %12s %7s %s\n", "key", "A", "B", "B/A", "95 % interval");
	for (unsigned i = 0; i < count; i++) {
		const struct key *k = &keys[i];

		printf("%-28s %12.6g %12.6g %7.4f %.4f-%.4f\n", k->label, k->middle[0],
		       k->middle[1], k->median, k->low, k->high);
	}
	printf("%u rounds%s", n, n < MIN_ROUNDS ? ", too few to say anything" : "");
	for (unsigned i = 0; i < count && n >= MIN_ROUNDS; i++)
		printf("%s %s: %s", i ? "," : ";", keys[i].label, key_winner(&keys[i]));
	printf("\n");
}

static inline json_t *keys_json(const struct key *keys, unsigned count, unsigned n)
{
	json_t *all = json_array();

	for (unsigned i = 0; i < count && n > 0; i++) {
		const struct key *k = &keys[i];

		json_array_append_new(
			all, json_pack("{s:s, s:f, s:f, s:{s:f, s:f, s:f}, s:s}", "key", k->label,
				       "a", k->middle[0], "b", k->middle[1], "ratio", "median",
				       k->median, "low", k->low, "high", k->high, "verdict",
				       n < MIN_ROUNDS ? "too few rounds" : key_winner(k)));
	}
	return all;
}

/* Writes a result under a temporary name and renames: no half files. Takes @json. Returns whether
 * it could. */
static inline bool json_write(json_t *json, const char *path)
{
	char temporary[4096];
	bool good;

	snprintf(temporary, sizeof(temporary), "%s.%d.tmp", path, getpid());
	good = json_dump_file(json, temporary, JSON_INDENT(2)) == 0 && rename(temporary, path) == 0;
	if (!good)
		unlink(temporary);
	json_decref(json);
	return good;
}

#endif
