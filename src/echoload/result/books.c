/* SPDX-License-Identifier: MIT
 * books: counts the ways that connections ended, adds books up, and checks that nothing was counted
 * twice or forgotten.
 *
 * The table of outcomes has one row for each phase in reserve: when too many kinds of ends came,
 * the rest is `other` in their own phase, so that no identity breaks.
 */
#include "books.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

#include "echo/base/base.h"

#define ROW(group_, key_, field_, ...)                                                             \
	{                                                                                          \
		.group = (group_), .key = (key_), .offset = offsetof(struct books, field_),        \
		__VA_ARGS__                                                                        \
	}

const struct books_field books_fields[BOOKS_FIELDS] = {
	ROW(BOOKS_CONNECTIONS, "reached", reached, .is_optional = true),
	ROW(BOOKS_CONNECTIONS, "attempts", attempts),
	ROW(BOOKS_CONNECTIONS, "established", established),
	ROW(BOOKS_CONNECTIONS, "failed", failed),
	ROW(BOOKS_CONNECTIONS, "connecting_at_end", connecting_at_end),
	ROW(BOOKS_CONNECTIONS, "open_at_end", open_at_end),
	ROW(BOOKS_CONNECTIONS, "peak", peak, .is_peak = true),
	ROW(BOOKS_MESSAGES, "planned", planned),
	ROW(BOOKS_MESSAGES, "missed", missed),
	ROW(BOOKS_MESSAGES, "sent", all.sent),
	ROW(BOOKS_MESSAGES, "echoed", all.echoed),
	ROW(BOOKS_MESSAGES, "corrupt", all.corrupt),
	ROW(BOOKS_MESSAGES, "lost", all.lost),
	ROW(BOOKS_MESSAGES, "unfinished", all.unfinished),
	ROW(BOOKS_MESSAGES, "lost_unsent", lost[LOST_UNSENT]),
	ROW(BOOKS_MESSAGES, "lost_partial", lost[LOST_PARTIAL]),
	ROW(BOOKS_MESSAGES, "lost_unacked", lost[LOST_UNACKED]),
	ROW(BOOKS_MESSAGES, "lost_acked", lost[LOST_ACKED]),
	ROW(BOOKS_MEASURED, "sent", measured.sent),
	ROW(BOOKS_MEASURED, "echoed", measured.echoed),
	ROW(BOOKS_MEASURED, "corrupt", measured.corrupt),
	ROW(BOOKS_MEASURED, "lost", measured.lost),
	ROW(BOOKS_MEASURED, "unfinished", measured.unfinished),
	ROW(BOOKS_MEASURED, "echoed_in_outage", echoed_in_outage),
	ROW(BOOKS_BYTES, "sent", bytes_sent),
	ROW(BOOKS_BYTES, "received", bytes_received),
	ROW(BOOKS_BYTES, "echoed", bytes_echoed),
	ROW(BOOKS_BYTES, "partial", bytes_partial),
	ROW(BOOKS_BYTES, "surplus", bytes_surplus),
};

/* The row of this kind of end, a new one if need be; NULL: the table is full. */
static struct outcome *outcome_find(struct books *b, const struct outcome *o)
{
	const bool reserved = o->cause == CAUSE_OTHER && o->err == 0;
	const unsigned max = reserved ? BOOKS_OUTCOMES_MAX : BOOKS_OUTCOMES_MAX - PHASE_COUNT;
	struct outcome *row = b->outcomes;

	for (; row < b->outcomes + b->outcome_count; row++) {
		if (row->cause == o->cause && row->at == o->at && row->err == o->err)
			return row;
	}
	if (b->outcome_count >= max)
		return NULL;
	b->outcome_count++;
	*row = (struct outcome){ .cause = o->cause,
				 .at = o->at,
				 .err = o->err,
				 .first_ns = INT64_MAX,
				 .last_ns = INT64_MIN };
	return row;
}

void books_outcome(struct books *b, const struct outcome *o)
{
	const struct outcome rest = { .cause = CAUSE_OTHER, .at = o->at };
	struct outcome *row = outcome_find(b, o);

	assert(o->cause != CAUSE_NONE && o->cause < CAUSE_COUNT && o->at < PHASE_COUNT);
	assert(o->count > 0 && o->first_ns <= o->last_ns);
	if (!row)
		row = outcome_find(b, &rest);
	assert(row);
	row->count += o->count;
	row->messages_lost += o->messages_lost;
	if (o->first_ns < row->first_ns)
		row->first_ns = o->first_ns;
	if (o->last_ns > row->last_ns)
		row->last_ns = o->last_ns;
}

void books_merge(struct books *to, const struct books *from)
{
	assert(to != from);
	assert(from->outcome_count <= BOOKS_OUTCOMES_MAX);
	for (size_t i = 0; i < BOOKS_FIELDS; i++) {
		const struct books_field *f = &books_fields[i];
		const uint64_t more = books_number_of(from, f);
		uint64_t *n = books_number(to, f);

		if (!f->is_peak)
			*n += more;
		else if (more > *n)
			*n = more;
	}
	for (unsigned i = 0; i < from->outcome_count; i++)
		books_outcome(to, &from->outcomes[i]);
	if (from->last_echo_ns > to->last_echo_ns)
		to->last_echo_ns = from->last_echo_ns;
	if (!to->corruption.found)
		to->corruption = from->corruption;
}

/* For qsort: by a chain of keys, so that equal books are always in the same order. */
static int outcome_compare(const void *left, const void *right)
{
	const struct outcome *a = left, *b = right;
	const struct {
		int64_t left, right;
	} keys[] = {
		{ a->cause == CAUSE_FINISHED, b->cause == CAUSE_FINISHED },
		{ (int64_t)b->count, (int64_t)a->count }, /* the most first */
		{ a->first_ns, b->first_ns },
		{ a->cause, b->cause },
		{ a->at, b->at },
		{ a->err, b->err },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (keys[i].left != keys[i].right)
			return keys[i].left < keys[i].right ? -1 : 1;
	}
	return 0;
}

void books_sort(struct books *b)
{
	assert(b->outcome_count <= BOOKS_OUTCOMES_MAX);
	qsort(b->outcomes, b->outcome_count, sizeof(*b->outcomes), outcome_compare);
}

static bool messages_balance(const struct message_counts *m)
{
	return m->sent == m->echoed + m->corrupt + m->lost + m->unfinished;
}

/* Whether the measured part is a part of the whole. */
static bool messages_within(const struct message_counts *part, const struct message_counts *all)
{
	return part->sent <= all->sent && part->echoed <= all->echoed &&
	       part->corrupt <= all->corrupt && part->lost <= all->lost &&
	       part->unfinished <= all->unfinished;
}

const char *books_check(const struct books *b)
{
	uint64_t failed = 0, ended = 0, lost_by_outcome = 0, lost = 0;

	for (unsigned i = 0; i < b->outcome_count; i++) {
		const struct outcome *o = &b->outcomes[i];

		*(o->at == PHASE_CONNECTING ? &failed : &ended) += o->count;
		lost_by_outcome += o->messages_lost;
	}
	for (size_t i = 0; i < LOST_COUNT; i++)
		lost += b->lost[i];

	const struct {
		bool holds;
		const char *identity;
	} identities[] = {
		{ b->attempts == b->established + b->failed + b->connecting_at_end,
		  "attempts = established + failed + connecting_at_end" },
		{ b->failed == failed, "failed = outcomes in phase connecting" },
		{ b->established == ended + b->open_at_end,
		  "established = outcomes in other phases + open_at_end" },
		{ b->reached <= b->established, "reached <= established" },
		{ b->peak <= b->established, "peak <= established" },
		{ b->planned == b->all.sent + b->missed, "planned = sent + missed" },
		{ messages_balance(&b->all), "sent = echoed + corrupt + lost + unfinished" },
		{ b->all.lost == lost,
		  "lost = lost_unsent + lost_partial + lost_unacked + lost_acked" },
		{ b->all.lost == lost_by_outcome, "lost = messages_lost of all outcomes" },
		{ messages_balance(&b->measured),
		  "measured.sent = measured.echoed + corrupt + lost + unfinished" },
		{ messages_within(&b->measured, &b->all), "measured messages <= all messages" },
		{ b->echoed_in_outage <= b->measured.echoed,
		  "measured.echoed_in_outage <= measured.echoed" },
		{ b->bytes_received == b->bytes_echoed + b->bytes_partial + b->bytes_surplus,
		  "bytes.received = bytes echoed + bytes.partial + bytes.surplus" },
	};

	for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
		if (!identities[i].holds)
			return identities[i].identity;
	}
	return NULL;
}

uint64_t books_errors(const struct books *b)
{
	uint64_t errors = 0;

	for (unsigned i = 0; i < b->outcome_count; i++)
		errors += b->outcomes[i].cause != CAUSE_FINISHED ? b->outcomes[i].count : 0;
	return errors;
}
