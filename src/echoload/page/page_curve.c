/* SPDX-License-Identifier: MIT
 * page_curve: a histogram as the curve of its percentiles. Steps of a tenth of the distance to 100%
 * are finer than what a screen shows of five decades.
 */
#include "page_private.h"

#include <errno.h>

#include "echo/base/hist.h"
#include "echo/base/hist_codec.h"

/* What the counter stands for at most, but no more than there was. */
static json_t *point(int64_t value, int64_t max)
{
	return json_integer(value < max ? value : max);
}

json_t *page_curve(const char *hdr, int64_t max_ns)
{
	struct hist *h = NULL;
	json_t *curve;
	int e = hist_codec_decode(hdr, &h);

	if (e == -ENOMEM)
		return NULL;
	if (e < 0 || h->count == 0) {
		hist_free(h);
		return json_null();
	}
	curve = json_array();
	for (double x = 1; e == 0 && x < (double)h->count; x *= 1.1)
		e = json_array_append_new(curve, point(hist_percentile(h, 100 - 100 / x), max_ns));
	e |= json_array_append_new(curve, point(h->max, max_ns));
	hist_free(h);
	if (e == 0)
		return curve;
	json_decref(curve);
	return NULL;
}
