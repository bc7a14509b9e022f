/* SPDX-License-Identifier: MIT
 * size: "64", "64..4Ki", or "64/70:512..1Ki/25:64Ki/5", as fio writes its bssplit.
 */
#include "size.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "echo/base/rng.h"
#include "opts.h"

enum { SIZE_MAX_BYTES = 1 << 30, WEIGHT_MAX = 1000 * 1000 };

static const struct opt size_row = {
	.type = &opt_size, .min = 1, .max = SIZE_MAX_BYTES, .size = sizeof(uint64_t)
};
static const struct opt weight_row = {
	.type = &opt_uint, .min = 1, .max = WEIGHT_MAX, .size = sizeof(uint64_t)
};

uint64_t size_draw(const struct sizes *s, uint64_t r)
{
	const struct size_part *p = s->parts;
	uint64_t at;

	if (s->count <= 1)
		return s->min + r % (s->max - s->min + 1);
	at = (r >> 32) * s->total >> 32; /* in [0, total) */
	for (; at >= p->weight; p++)
		at -= p->weight;
	return p->min + rng_mix(r) % (p->max - p->min + 1);
}

/* "SIZE[..SIZE][/WEIGHT]"; @alone: it is all there is and has no weight. */
static int part_parse(const char *text, bool alone, struct size_part *p, char why[OPT_ERROR_MAX])
{
	const char *slash = strchr(text, '/');
	char size[OPT_TEXT_MAX];
	int r;

	if (!alone && !slash) {
		snprintf(why, OPT_ERROR_MAX,
			 "every size of a mix has a weight, as in 64/90:4Ki/10");
		return -EINVAL;
	}
	snprintf(size, sizeof(size), "%.*s", slash ? (int)(slash - text) : (int)strlen(text), text);
	p->weight = 1;
	r = opts_range_parse(&size_row, size, &p->min, &p->max, why);
	if (r == 0 && slash)
		r = opt_uint.parse(&weight_row, slash + 1, &p->weight, why);
	if (r == 0 && p->min > p->max) {
		snprintf(why, OPT_ERROR_MAX, "the smaller size stands first, as in 64..4Ki");
		r = -EINVAL;
	}
	return r;
}

static void sizes_add(struct sizes *s, const struct size_part *p)
{
	s->min = s->count == 0 || p->min < s->min ? p->min : s->min;
	s->max = p->max > s->max ? p->max : s->max;
	s->total += p->weight;
	s->parts[s->count++] = *p;
}

static int sizes_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	const bool alone = !strchr(text, ':');
	char copy[OPT_TEXT_MAX], *rest = copy, *part;
	struct sizes s = { .count = 0 };

	(void)o;
	snprintf(copy, sizeof(copy), "%s", text);
	while ((part = strsep(&rest, ":"))) {
		struct size_part p;
		int r = part_parse(part, alone, &p, why);

		if (r < 0)
			return r;
		if (s.count == SIZE_PARTS_MAX) {
			snprintf(why, OPT_ERROR_MAX, "a mix has at most %d sizes", SIZE_PARTS_MAX);
			return -EINVAL;
		}
		sizes_add(&s, &p);
	}
	memcpy(field, &s, sizeof(s));
	return 0;
}

static bool sizes_print(const struct opt *o, const void *field, unsigned nth,
			char text[OPT_TEXT_MAX])
{
	const struct sizes *s = field;
	const struct size_part whole = { s->min, s->max, 1 };
	size_t len = 0;

	(void)o;
	for (unsigned i = 0; i < s->count || i == 0; i++) {
		const struct size_part *p = s->count > 1 ? &s->parts[i] : &whole;
		char low[OPT_TEXT_MAX], high[OPT_TEXT_MAX];

		opt_size.print(&size_row, &p->min, 0, low);
		opt_size.print(&size_row, &p->max, 0, high);
		len += (size_t)snprintf(text + len, OPT_TEXT_MAX - len, "%s%.10s%s%.10s",
					i ? ":" : "", low, p->min < p->max ? ".." : "",
					p->min < p->max ? high : "");
		if (s->count > 1)
			len += (size_t)snprintf(text + len, OPT_TEXT_MAX - len, "/%" PRIu64,
						p->weight);
	}
	return nth == 0;
}

const struct opt_type opt_sizes = { "SIZE[..SIZE][/WEIGHT:...]", sizes_parse, sizes_print };
