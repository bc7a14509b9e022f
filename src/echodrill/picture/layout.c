/* SPDX-License-Identifier: MIT
 * layout: time runs down in proportion: so much for so long, which follows from the drill's own
 * gaps. What comes sooner after something else than a row of text is high has a row all the same,
 * and a silence that would be longer than FOLD pixels is folded.
 */
#include "layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echodrill/stage/record.h"

enum {
	ROW = 19,     /* of one line of text */
	ARRIVAL = 9,  /* of the head of an arrow */
	TYPICAL = 64, /* what a typical gap gets */
	FOLD = 150,
	RUN_SHOWN = 6, /* segments at the beginning and at the end of a run of routine */
	SKIP = 44,     /* what is left out */
};

static const int64_t gap_ns = MSEC(20); /* shorter ones are no gaps, but what follows at once */

unsigned layout_lines(const char *text, char lines[LAYOUT_LINES_MAX][LAYOUT_LINE_MAX + 4])
{
	unsigned n = 0;

	while (n < LAYOUT_LINES_MAX) {
		size_t len = strlen(text);
		const bool last = n == LAYOUT_LINES_MAX - 1;

		if (len > LAYOUT_LINE_MAX) {
			len = LAYOUT_LINE_MAX;
			while (!last && len > 0 && text[len] != ' ')
				len--;
			if (len == 0)
				len = LAYOUT_LINE_MAX; /* one long word */
			while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
				len--; /* no character of UTF-8 is cut */
		}
		snprintf(lines[n], sizeof(lines[n]), "%.*s%s", (int)len, text,
			 last && text[len] ? "..." : "");
		n++;
		text += len;
		text += *text == ' ';
		if (!*text)
			break;
	}
	return n;
}

static void add_item(struct layout *l, const struct item *item)
{
	if (l->count < LAYOUT_ITEMS_MAX)
		l->items[l->count++] = *item;
	else
		l->left_out++;
}

/* What the drill and its programs did. What went over the wire comes from the captures, and states
 * are shown by bars. */
static void add_events(struct layout *l, const struct timeline *t)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct event *e = &t->at[i];

		if (e->who != WHO_WIRE && !timeline_is_counter(e))
			add_item(l,
				 &(struct item){ .kind = ITEM_EVENT, .event = e, .t_ns = e->t_ns });
	}
}

/* Data or an acknowledgement that came: nothing that a reader looks for. */
static bool is_routine(const struct segment *s)
{
	return s->frame.kind == FRAME_TCP && s->arrived_ns >= 0 && s->repeat == 0 &&
	       !(s->frame.flags & (FRAME_SYN | FRAME_FIN | FRAME_RST));
}

/* Whether a program or the drill did something from @from_ns on, before @to_ns. */
static bool has_event(const struct timeline *t, int64_t from_ns, int64_t to_ns)
{
	for (unsigned i = 0; i < t->count; i++) {
		const struct event *e = &t->at[i];

		if (e->t_ns >= from_ns && e->t_ns < to_ns && e->who != WHO_WIRE &&
		    e->who != WHO_STATES && !timeline_is_counter(e))
			return true;
	}
	return false;
}

/* How many segments from @first on are routine, with nothing else in between. */
static unsigned routine_run(const struct layout *l, const struct timeline *t, unsigned first)
{
	unsigned i = first;

	while (i < l->segments.count && is_routine(&l->segments.at[i]) &&
	       (i == first ||
		!has_event(t, l->segments.at[i - 1].sent_ns, l->segments.at[i].sent_ns)))
		i++;
	return i - first;
}

/* Of a long run of routine only its first and last segments are drawn. */
static void add_segments(struct layout *l, const struct timeline *t)
{
	unsigned skipped = 0;

	for (unsigned i = 0, run = 0, place = 0; i < l->segments.count; i++, place++) {
		const struct segment *s = &l->segments.at[i];

		if (place >= run) {
			run = routine_run(l, t, i);
			place = 0;
		}
		if (run > 2 * RUN_SHOWN && place >= RUN_SHOWN && place < run - RUN_SHOWN) {
			skipped++;
			continue;
		}
		add_item(l, &(struct item){ .kind = ITEM_SENT,
					    .segment = i,
					    .t_ns = s->sent_ns,
					    .skipped = skipped });
		skipped = 0;
		if (s->arrived_ns >= 0)
			add_item(l, &(struct item){ .kind = ITEM_ARRIVED,
						    .segment = i,
						    .t_ns = s->arrived_ns });
	}
}

/* In order of time; what has the same time stays as it is. */
static void sort_items(struct layout *l)
{
	for (unsigned i = 1; i < l->count; i++) {
		const struct item one = l->items[i];
		unsigned k = i;

		for (; k > 0 && l->items[k - 1].t_ns > one.t_ns; k--)
			l->items[k] = l->items[k - 1];
		l->items[k] = one;
	}
}

static int compare(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Pixels for a nanosecond: the median gap gets TYPICAL. */
static double scale_of(const struct layout *l)
{
	int64_t gaps[LAYOUT_ITEMS_MAX] = { 0 }, typical_ns = gap_ns;
	unsigned n = 0;

	for (unsigned i = 1; i < l->count; i++)
		if (l->items[i].t_ns - l->items[i - 1].t_ns >= gap_ns)
			gaps[n++] = l->items[i].t_ns - l->items[i - 1].t_ns;
	qsort(gaps, n, sizeof(*gaps), compare);
	if (n > 0)
		typical_ns = gaps[n / 2];
	return TYPICAL / (double)typical_ns;
}

/* What stands at an item takes so much. */
static double height_of(const struct item *i)
{
	char lines[LAYOUT_LINES_MAX][LAYOUT_LINE_MAX + 4];
	unsigned extra;

	if (i->kind == ITEM_ARRIVED)
		return ARRIVAL;
	if (i->kind == ITEM_SENT)
		return ROW;
	if (i->event->who == WHO_STATES)
		return 2;
	extra = (layout_lines(timeline_words(i->event), lines) - 1) * LAYOUT_LINE_HEIGHT;
	return ROW + extra;
}

static void place(struct layout *l, struct item *i, double y)
{
	i->y = y;
	if (i->kind == ITEM_SENT)
		l->sent_y[i->segment] = y;
	if (i->kind == ITEM_ARRIVED)
		l->arrived_y[i->segment] = y;
}

static void place_all(struct layout *l)
{
	const double scale = scale_of(l);
	double y = LAYOUT_TOP;

	for (unsigned i = 0; i < l->count; i++) {
		struct item *item = &l->items[i];
		double space = 0;

		if (i > 0) {
			const struct item *before = item - 1;
			const double least = height_of(before);

			item->silence_ns = item->t_ns - before->t_ns;
			space = scale * (double)item->silence_ns;
			item->folded = space > FOLD;
			space = item->folded ? FOLD : space;
			space = space < least ? least : space;
			if (item->skipped > 0) {
				item->folded = false;
				space = SKIP;
			}
		}
		y += space;
		place(l, item, y);
	}
	l->end_y = y + (l->count > 0 ? height_of(&l->items[l->count - 1]) : 0);
}

void layout_make(struct layout *l, const struct record *rec, const int pcap[2])
{
	memset(l, 0, sizeof(*l));
	segment_read(&l->segments, pcap[0], pcap[1]);
	add_events(l, &rec->timeline);
	add_segments(l, &rec->timeline);
	sort_items(l);
	place_all(l);
}
