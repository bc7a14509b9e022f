/* SPDX-License-Identifier: MIT
 * page_heat: latency over time as a picture with a block of pixels for a time and a bucket. The
 * page stretches it over a chart with a logarithmic scale, where buckets are all but equally high,
 * so that axes and zoom are those of the chart.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base64.h"
#include "echo/base/log.h"
#include "echo/lab/gnuplot.h"
#include "echoload/result/result.h"
#include "echoload/tools/run_file.h"
#include "page_private.h"

enum {
	TIMES_MAX = 900, /* about what a screen shows */
	SIDE_MIN = 100,  /* pixels: for less gnuplot finds no font, though it writes nothing */
	PNG_MAX = 16 * 1024 * 1024,
};

struct heat {
	int64_t begin_ns, end_ns;
	unsigned times, low, high; /* of the picture: its width, its first and last bucket */
	double count[TIMES_MAX][BUCKETS];
};

/* Its bucket; BUCKETS: it is none of ours. */
static unsigned heat_bucket(const json_t *pair)
{
	const json_t *from = json_array_get(pair, 0);

	for (unsigned i = 0; json_is_integer(from) && i < BUCKETS; i++) {
		if (result_bucket_ns(i) == json_integer_value(from))
			return i;
	}
	return BUCKETS;
}

/* Counts @n messages that came evenly from @begin_ns to @end_ns. */
static void heat_spread(struct heat *h, unsigned bucket, double n, int64_t begin_ns, int64_t end_ns)
{
	const double width = (double)(h->end_ns - h->begin_ns) / h->times;
	const double from = (double)(begin_ns - h->begin_ns) / width;
	const double to = (double)(end_ns - h->begin_ns) / width;

	for (unsigned t = (unsigned)from; t < h->times && t < to; t++)
		h->count[t][bucket] += n * (fmin(to, t + 1) - fmax(from, t)) / (to - from);
}

static void heat_interval(struct heat *h, const json_t *interval, int64_t begin_ns, int64_t end_ns)
{
	const json_t *pair;
	size_t i;

	json_array_foreach(json_object_get(interval, "latency_buckets"), i, pair)
	{
		const unsigned bucket = heat_bucket(pair);
		const double n = json_number_value(json_array_get(pair, 1));

		if (bucket == BUCKETS || !(n > 0))
			continue;
		heat_spread(h, bucket, n, begin_ns, end_ns);
		h->low = bucket < h->low ? bucket : h->low;
		h->high = bucket > h->high ? bucket : h->high;
	}
}

/* Sets when the picture begins and ends, and how many pixels that is. Returns whether there is
 * anything. */
static bool heat_times(struct heat *h, const json_t *intervals)
{
	int64_t begin_ns, end_ns;
	unsigned count = 0;
	const json_t *o;
	size_t i;

	json_array_foreach(intervals, i, o)
	{
		if (!page_interval_times(o, h->end_ns, &begin_ns, &end_ns))
			continue;
		h->begin_ns = count++ == 0 ? begin_ns : h->begin_ns;
		h->end_ns = end_ns;
	}
	h->times = count < TIMES_MAX ? count : TIMES_MAX;
	return count > 0;
}

/* Whether there is any bucket. */
static bool heat_fill(struct heat *h, const json_t *intervals)
{
	int64_t begin_ns, end_ns, last_ns = 0;
	const json_t *o;
	size_t i;

	h->low = BUCKETS;
	json_array_foreach(intervals, i, o)
	{
		if (!page_interval_times(o, last_ns, &begin_ns, &end_ns))
			continue;
		last_ns = end_ns;
		heat_interval(h, o, begin_ns, end_ns);
	}
	return h->low < BUCKETS;
}

/* What has no message is transparent, and the least that there is differs from a light and a dark
 * ground. The terminal of libgd does not smooth edges, which would blend neighbours; it leaves a
 * column at the right and a row at the top, which the page cuts off. */
static void heat_script(const struct heat *h, FILE *to)
{
	const unsigned rows = h->high - h->low + 1;
	const unsigned width = h->times * ((SIDE_MIN + h->times - 1) / h->times);
	const unsigned height = rows * ((SIDE_MIN + rows - 1) / rows);
	double most = 0;

	fputs("$heat << EOD\n", to);
	for (unsigned b = h->low; b <= h->high; b++) {
		for (unsigned t = 0; t < h->times; t++) {
			const double n = h->count[t][b];

			most = fmax(most, n);
			fprintf(to, "%u %u ", t, b - h->low);
			fprintf(to, n > 0 ? "%.4f\n" : "NaN\n", log1p(n));
		}
	}
	fprintf(to,
		"EOD\n"
		"set terminal png tiny truecolor transparent size %u,%u\n"
		"set margins 0,0,0,0\n"
		"unset key\nunset border\nunset tics\nunset colorbox\n"
		"set palette defined (0 '#7d6ba8', 1 '#8a4f9e', 2 '#c2407e', 3 '#ee6a50', "
		"4 '#f9b43c', 5 '#f7e33e')\n"
		"set xrange [-0.5:%u-0.5]\nset yrange [-0.5:%u-0.5]\nset cbrange [0:%.4f]\n"
		"plot $heat using 1:2:3 with image pixels\n",
		width + 1, height + 1, h->times, rows, fmax(log1p(most), 1));
}

/* The picture's bytes as base64, to be freed; NULL with errno set. */
static char *heat_encode(FILE *picture)
{
	const long size = fseek(picture, 0, SEEK_END) == 0 ? ftell(picture) : -1;
	uint8_t *bytes;
	char *text = NULL;

	errno = EIO;
	if (size <= 0 || size > PNG_MAX || fseek(picture, 0, SEEK_SET) < 0)
		return NULL;
	bytes = malloc((size_t)size);
	if (bytes && fread(bytes, 1, (size_t)size, picture) == (size_t)size)
		text = base64_encode(bytes, (size_t)size);
	free(bytes);
	return text;
}

/* NULL: errno says why. */
static json_t *heat_json(const struct heat *h, FILE *picture)
{
	char *png = heat_encode(picture);
	const int64_t from_ns = result_bucket_ns(h->low);
	json_t *o;

	if (!png)
		return NULL;
	/* the first bucket begins at 0, which no logarithmic scale has: it is shown as wide as the
	 * next */
	o = json_pack("{ss si si sI sI sI sI}", "png", png, "times", h->times, "rows",
		      h->high - h->low + 1, "begin_ns", (json_int_t)h->begin_ns, "end_ns",
		      (json_int_t)h->end_ns, "from_ns",
		      (json_int_t)(from_ns > 0 ? from_ns : result_bucket_ns(1) * 4 / 5), "to_ns",
		      (json_int_t)(h->high + 1 < BUCKETS ? result_bucket_ns(h->high + 1)
							 : 2 * result_bucket_ns(h->high)));
	free(png);
	errno = ENOMEM;
	return o;
}

static int heat_draw(const struct heat *h, json_t **heat)
{
	FILE *script = tmpfile(), *picture = tmpfile();
	const char *wrong = NULL;
	int e = script && picture ? 0 : -errno;

	if (script && picture) {
		heat_script(h, script);
		wrong = gnuplot_run(script, picture);
		*heat = wrong ? NULL : heat_json(h, picture);
	}
	if (wrong)
		log_error("%s", wrong);
	if (!*heat && e == 0)
		e = wrong ? -EIO : -errno;
	if (e < 0 && !wrong)
		log_error("%s: %s",
			  script && picture ? "cannot read what gnuplot drew"
					    : "cannot make a temporary file",
			  strerror(-e));
	if (script)
		fclose(script);
	if (picture)
		fclose(picture);
	return e;
}

int page_heat(const json_t *intervals, json_t **heat)
{
	struct heat *h = calloc(1, sizeof(*h));
	int e = 0;

	*heat = NULL;
	if (!h) {
		log_error("%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	if (!heat_times(h, intervals) || !heat_fill(h, intervals))
		*heat = json_null();
	else
		e = heat_draw(h, heat);
	free(h);
	return e;
}
