/* SPDX-License-Identifier: MIT
 * service: rows in order of time. Workers are told one after the other, but may have read the clock
 * in another order: what seems to lie before the last row is put there.
 */
#include "service.h"

#include <assert.h>

#include "echo/base/base.h"

void service_start(struct service *s, int64_t start_ns)
{
	s->count = 0;
	s->down = 0;
	s->start_ns = start_ns;
	s->length_ns = MSEC(1);
}

static int64_t service_place(const struct service *s, int64_t at_ns)
{
	return (at_ns - s->start_ns) / s->length_ns;
}

/* @b follows @a in one row. */
static void service_join(struct service_row *a, const struct service_row *b)
{
	a->last_ns = b->last_ns;
	if (a->errors == 0)
		a->last_echo_ns = b->last_echo_ns;
	if (a->back_ns < 0)
		a->back_ns = b->back_ns;
	a->errors += b->errors;
	a->messages_lost += b->messages_lost;
	a->down = b->down;
}

/* Twice as long rows, of which there are then fewer; at last there are. */
static void service_make_room(struct service *s)
{
	while (s->count == SERVICE_ROWS_MAX) {
		unsigned kept = 0;

		s->length_ns *= 2;
		for (unsigned i = 1; i < s->count; i++) {
			if (service_place(s, s->rows[i].first_ns) ==
			    service_place(s, s->rows[kept].first_ns))
				service_join(&s->rows[kept], &s->rows[i]);
			else
				s->rows[++kept] = s->rows[i];
		}
		s->count = kept + 1;
	}
}

/* The row of @now_ns, which is the last one. */
static struct service_row *service_row(struct service *s, int64_t now_ns)
{
	struct service_row *last = s->count > 0 ? &s->rows[s->count - 1] : NULL;

	if (!last || service_place(s, now_ns) > service_place(s, last->first_ns)) {
		service_make_room(s);
		last = &s->rows[s->count++];
		*last = (struct service_row){
			.first_ns = now_ns, .last_ns = now_ns, .last_echo_ns = -1, .back_ns = -1
		};
	}
	if (now_ns > last->last_ns)
		last->last_ns = now_ns;
	return last;
}

void service_lost(struct service *s, int64_t now_ns, const struct service_loss *loss)
{
	struct service_row *row = service_row(s, now_ns);

	if (loss->counts && row->errors++ == 0)
		row->last_echo_ns = loss->last_echo_ns;
	row->messages_lost += loss->messages_lost;
	s->down += loss->was_up;
	row->down = s->down;
}

void service_back(struct service *s, int64_t now_ns)
{
	struct service_row *row = service_row(s, now_ns);

	assert(s->down > 0);
	row->down = --s->down;
	if (row->back_ns < 0)
		row->back_ns = now_ns;
}

void service_shift(struct service_row *row, int64_t start_ns)
{
	int64_t *times[] = { &row->first_ns, &row->last_ns, &row->last_echo_ns, &row->back_ns };

	for (unsigned i = 0; i < ARRAY_LEN(times); i++)
		*times[i] = *times[i] < 0 ? -1 : *times[i] - start_ns;
}
