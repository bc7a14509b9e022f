/* SPDX-License-Identifier: MIT
 * fuzz_hist_codec: histograms as .hlog files and results have them. The first byte chooses: the
 * rest is such a text; or what one is unpacked to, so that what lies behind zlib is reached. What
 * is taken is the same when it is written and read again.
 *
 * reads: src/base/hist_codec.c src/base/hist_codec_read.c src/base/base64.c
 */
#include <string.h>
#include <zlib.h>

#include "echo/base/base64.h"
#include "echo/base/hist.h"
#include "echo/base/hist_codec.h"
#include "lib/fuzz.h"

enum { HEAD = 8, PACKED_MAX = 1 << 16 };

/* Packs, as a writer would; the caller's. */
static char *pack(const uint8_t *data, size_t len)
{
	static uint8_t packed[HEAD + PACKED_MAX] = { 0x1c, 0x84, 0x93, 0x14 };
	uLongf size = PACKED_MAX;

	if (compress(packed + HEAD, &size, data, len) != Z_OK)
		size = 0;
	for (unsigned i = 0; i < 4; i++)
		packed[4 + i] = (uint8_t)(size >> (24 - 8 * i));
	return base64_encode(packed, HEAD + size);
}

static void check(const struct hist *h)
{
	char *text = hist_codec_encode(h);
	struct hist *again = NULL;
	uint64_t count = 0;

	FUZZ_CHECK(text && hist_codec_decode(text, &again) == 0);
	FUZZ_CHECK(again->len == h->len && again->count == h->count && again->max == h->max);
	FUZZ_CHECK(memcmp(again->counts, h->counts, h->len * sizeof(h->counts[0])) == 0);
	for (uint32_t i = 0; i < h->len; i++)
		count += h->counts[i];
	FUZZ_CHECK(count == h->count);
	for (double p = 0; p <= 100; p += 25)
		FUZZ_CHECK(hist_percentile(h, p) <= h->max);
	hist_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = { data, data + len };
	const bool packs = fuzz_byte(&in) % 2;
	char *text = packs ? pack(in.at, (size_t)(in.end - in.at)) : fuzz_part(&in, NULL);
	struct hist *h = NULL;

	FUZZ_CHECK(text);
	if (hist_codec_decode(text, &h) == 0)
		check(h);
	hist_free(h);
	free(text);
	return 0;
}
