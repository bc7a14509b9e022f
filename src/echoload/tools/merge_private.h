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

/* Points the result's histograms to @hists. */
void merge_point(struct result *r, struct hist *const hists[MERGE_HISTS]);

#endif
