/* SPDX-License-Identifier: MIT
 * agree: counts the outcomes of a result by the kinds that a capture can tell apart, and looks
 * whether each count lies within what the capture allows.
 */
#include "agree.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/cause.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/run.h"
#include "ends.h"

static const int64_t crossing_ns = MSEC(50); /* the client's kernel answers meanwhile */

/* No further from 0 than @most: a client of one's own may say anything, and sums stay sums. */
static int64_t number(const json_t *o, const char *key, int64_t most)
{
	const int64_t said = json_integer_value(json_object_get(o, key));

	return said > most ? most : said < -most ? -most : said;
}

static int64_t count(const json_t *o, const char *key)
{
	return number(o, key, INT32_MAX);
}

static int64_t time_of(const json_t *o, const char *key)
{
	return number(o, key, INT64_MAX / 4);
}

/* What a line of the outcomes is on the wire. */
static enum end_kind kind_of(const json_t *outcome)
{
	const char *name = json_string_value(json_object_get(outcome, "cause"));
	const char *phase = json_string_value(json_object_get(outcome, "phase"));
	const enum cause cause = cause_find(name ? name : "");

	if (cause == CAUSE_RESET)
		return END_RESET;
	if (phase && strcmp(phase, cause_phase_name(PHASE_CONNECTING)) == 0)
		return cause == CAUSE_REFUSED ? END_REFUSED : END_UNANSWERED;
	return cause == CAUSE_EOF || cause == CAUSE_EOF_EARLY ? END_EOF : END_OWN;
}

/* Adds a line to @text. */
static void differs(char *text, size_t size, const char *kind, int64_t said, unsigned least,
		    unsigned most)
{
	const size_t len = strlen(text);

	if (least == most)
		snprintf(text + len, size - len, "%s%s: %lld in the result, %u on the wire",
			 len ? "; " : "", kind, (long long)said, least);
	else
		snprintf(text + len, size - len, "%s%s: %lld in the result, %u to %u on the wire",
			 len ? "; " : "", kind, (long long)said, least, most);
}

int agree_with(const struct ends *e, const json_t *load, char *text, size_t size)
{
	const json_t *c = json_object_get(load, "connections"), *o;
	int64_t said[END_KINDS] = { [END_UNANSWERED] = count(c, "connecting_at_end"),
				    [END_OWN] = count(c, "open_at_end") };
	const int64_t attempts = count(c, "attempts");
	int64_t off = attempts - (int64_t)e->attempts;
	size_t i;

	text[0] = '\0';
	off = off < 0 ? -off : off;
	if (off > 0)
		differs(text, size, "attempts", attempts, e->attempts, e->attempts);
	json_array_foreach(json_object_get(load, "outcomes"), i, o) said[kind_of(o)] +=
		count(o, "count");
	for (enum end_kind k = 0; k < END_KINDS; k++) {
		const int64_t under = (int64_t)e->least[k] - said[k],
			      over = said[k] - (int64_t)e->most[k];

		if (under <= 0 && over <= 0)
			continue;
		off += under > 0 ? under : over;
		differs(text, size, ends_name(k), said[k], e->least[k], e->most[k]);
	}
	if (off == 0)
		snprintf(text, size, "0");
	return off > INT32_MAX ? INT32_MAX : (int)off;
}

/* A time of the client's configuration; off: 0. */
static int64_t config_time(const json_t *load, const char *key)
{
	const char *text = json_string_value(json_object_get(json_object_get(load, "config"), key));
	int64_t ns;

	return text && word_time(text, &ns) == 0 ? ns : 0;
}

/* When the client was told to end, or had run for its time. */
static int64_t over_ns(const struct run *r, const json_t *load)
{
	const json_t *c = json_object_get(load, "context");
	const int64_t began = time_of(c, "start_unix_ns") - r->record->unix_offset_ns;

	return began + time_of(load, "duration_ns");
}

int agree(const struct run *r, const json_t *load, char *text, size_t size)
{
	const int64_t late_ns = atomic_load(&r->record->canary_ns) + r->record->wait_ns +
				atomic_load(&r->record->wire.late_ns);
	const char *churn =
		json_string_value(json_object_get(json_object_get(load, "config"), "churn"));
	const struct ends_about about = { .timeout_ns = config_time(load, "timeout"),
					  .connect_timeout_ns =
						  config_time(load, "connect_timeout"),
					  .crossing_ns =
						  2 * r->drill->delay + crossing_ns + late_ns,
					  .over_ns = over_ns(r, load) - late_ns,
					  .churn = churn && strcmp(churn, "0") != 0 };
	struct ends e;
	int err = ends_read(&e, r->pcap[WIRE_CLIENT], &about);

	return err < 0 ? err : agree_with(&e, load, text, size);
}
