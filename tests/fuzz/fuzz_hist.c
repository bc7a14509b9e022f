/* SPDX-License-Identifier: MIT
 * fuzz_hist: the first byte chooses the digits, the rest are values: whatever they are, percentiles
 * rise, stay within min and max, and a merge counts like a record.
 *
 * reads: src/base/hist.c
 */
#include <string.h>

#include "echo/base/hist.h"
#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct hist *h[2];
	int64_t v, last = 0;

	if (len == 0)
		return 0;
	for (int i = 0; i < 2; i++)
		h[i] = hist_new(1 + data[0] % 3u);
	for (size_t at = 1; at + sizeof(v) <= len; at += sizeof(v)) {
		memcpy(&v, data + at, sizeof(v));
		hist_record(h[at & 8 ? 1 : 0], v & INT64_MAX);
	}
	hist_merge(h[0], h[1]);
	for (double p = 0; p <= 100; p += 4, last = v) {
		v = hist_percentile(h[0], p);
		if (v < last || v > h[0]->max || (h[0]->count > 0 && v < h[0]->min))
			abort();
	}
	if (h[0]->count > 0 && (hist_mean(h[0]) < (double)h[0]->min * 0.99 ||
				hist_mean(h[0]) > (double)h[0]->max * 1.01))
		abort();
	if (hist_digits(h[0]) != 1 + data[0] % 3u)
		abort();
	hist_clear(h[1]);
	if (h[0]->count != (len - 1) / sizeof(v) || last != h[0]->max)
		abort();
	for (int i = 0; i < 2; i++)
		hist_free(h[i]);
	return 0;
}
