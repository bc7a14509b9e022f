/* SPDX-License-Identifier: MIT
 * layout: where everything stands in the picture of a drill: an item for each thing that happened,
 * from top to bottom.
 */
#ifndef ECHODRILL_LAYOUT_H
#define ECHODRILL_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "echodrill/stage/timeline.h"
#include "segment.h"

struct record;

enum {
	LAYOUT_ITEMS_MAX = 1500,
	LAYOUT_LINES_MAX = 3, /* of a text */
	LAYOUT_LINE_MAX = 40, /* characters that fit beside a lifeline */
	LAYOUT_LINE_HEIGHT = 14,
	LAYOUT_TOP = 108, /* where time begins: below the title and the heads */
};

enum item_kind { ITEM_EVENT, ITEM_SENT, ITEM_ARRIVED };

struct item {
	enum item_kind kind;
	const struct event *event; /* ITEM_EVENT */
	unsigned segment;          /* index, otherwise */
	int64_t t_ns;
	double y;
	bool folded; /* the silence before it is longer than what is drawn of it */
	int64_t silence_ns;
	unsigned skipped; /* segments before it that are not drawn: they were like those around them
			   */
};

struct layout {
	struct segments segments;
	unsigned count, left_out;
	struct item items[LAYOUT_ITEMS_MAX];
	double sent_y[SEGMENTS_MAX], arrived_y[SEGMENTS_MAX]; /* of segments; 0: not drawn */
	double end_y;
};

/* Takes what was recorded and captured, and gives everything its place. */
void layout_make(struct layout *l, const struct record *rec, const int pcap[2]);

/* Splits @text into lines of at most LAYOUT_LINE_MAX bytes, at blanks where there are any; what is
 * too long ends in "...". Returns how many, 1 at least. */
unsigned layout_lines(const char *text, char lines[LAYOUT_LINES_MAX][LAYOUT_LINE_MAX + 4]);

#endif
