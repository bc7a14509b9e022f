/* SPDX-License-Identifier: MIT
 * merge_private: a result that was read back from its JSON. What stands in it is data, and nobody
 * knows from whom: no name of a file and no other option is taken from it but those of the load
 * that the text for people speaks of.
 */
#ifndef ECHOLOAD_MERGE_PRIVATE_H
#define ECHOLOAD_MERGE_PRIVATE_H

#include <jansson.h>

#include "echoload/options/opts.h"
#include "echoload/result/result.h"

enum { MERGE_ERROR_MAX = 512 };

/* Of one number, and of all numbers of all files together: sums stay within 63 bits. It is 73
 * years.
 */
static const int64_t merge_number_max = INT64_MAX / 4;

enum merge_hist {
	MERGE_LATENCY,
	MERGE_UNCORRECTED,
	MERGE_OUTSIDE,
	MERGE_CONNECT,
	MERGE_LATENESS,
	MERGE_HISTS
};

struct merge_part {
	const char *name; /* of the file */
	json_t *root;
	struct result result;      /* what its books say; no intervals */
	struct load_config config; /* of the load; all else is zero */
	uint64_t total;            /* of all numbers that count or add up */
	struct hist *hists[MERGE_HISTS];
	struct outage *outages;
	char error[MERGE_ERROR_MAX]; /* why it cannot be read */
};

/* Reads a result and checks its books. Returns 0, or -EINVAL with p->error set. merge_free gives
 * back what it holds, then too. */
int merge_read(struct merge_part *p, const char *name);
void merge_free(struct merge_part *p);

/* merge_value.c: what stands under a key of @from. What is missing or makes no sense is an error of
 * the part (the first one counts), and then 0, "" or NULL. _moment: a number that is not negative,
 * and is never added up; _number, _count: one that is; _or_none: -1 where there is none, or null.
 */
int64_t merge_value_moment(struct merge_part *p, const json_t *from, const char *key);
int64_t merge_value_number(struct merge_part *p, const json_t *from, const char *key);
int64_t merge_value_number_or_none(struct merge_part *p, const json_t *from, const char *key);
uint64_t merge_value_count(struct merge_part *p, const json_t *from, const char *key);
const char *merge_value_text(struct merge_part *p, const json_t *from, const char *key);
const json_t *merge_value_object(struct merge_part *p, const json_t *from, const char *key);
/* Notes the error. Returns -EINVAL. */
int merge_value_fail(struct merge_part *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* merge_generator.c: what it says of the generator. */
void merge_generator_read(struct merge_part *p);

/* Points the result's histograms to @hists. */
void merge_point(struct result *r, struct hist *const hists[MERGE_HISTS]);

#endif
