/* SPDX-License-Identifier: MIT
 * fuzz_drill: any bytes as a drill: refused with its place, or its steps and expectations are those
 * that it prints.
 *
 * reads: src/echodrill/script/drill.c src/echodrill/script/step.c src/echodrill/script/expect.c
 * reads: src/echodrill/script/selector.c src/echodrill/script/arguments.c
 * reads: src/echodrill/script/detector.c src/echodrill/script/words.c
 * reads: src/echodrill/script/text_list.c
 * words: src/echodrill/verbs src/echodrill/verbs/waits src/echodrill/rig/diag.c
 * seeds: configs/drills configs/drills/lessons
 */
#include <string.h>
#include <unistd.h>

#include "echodrill/script/drill.h"
#include "echodrill/script/expect.h"
#include "echodrill/script/selector.h"
#include "echodrill/script/text_list.h"
#include "lib/fuzz.h"

/* A text that was printed, read again by its row. */
static void print_back(const struct opt_type *type, const void *field, void *again)
{
	static const struct opt row = { .key = "row" };
	char text[OPT_TEXT_MAX], why[OPT_ERROR_MAX];

	for (unsigned n = 0; type->print(&row, field, n, text); n++)
		FUZZ_CHECK(type->parse(&row, text, again, why) == 0);
}

static void print_all(const struct drill *d)
{
	static struct drill again;

	memset(&again, 0, sizeof(again));
	print_back(&expect_type, &d->expect, &again.expect);
	print_back(&text_list_type, &d->story, &again.story);
	print_back(&text_list_type, &d->client_options, &again.client_options);
	for (unsigned i = 0; i < DETECTOR_COUNT; i++)
		print_back(&detector_notice_type, &d->detector[i], &again.detector[i]);
	FUZZ_CHECK(again.expect.count == d->expect.count && again.story.count == d->story.count);
}

/* Whatever was seen, it is compared. */
static void hold(const struct expect *e)
{
	struct seen s = { .least = e->low, .most = e->high };

	for (s.kind = SEEN_NOTHING; s.kind <= SEEN_TEXT; s.kind++) {
		(void)expect_holds(e, &s);
		memcpy(s.text, e->word, sizeof(e->word));
		FUZZ_CHECK(expect_holds(e, &s) != HELD_YES || s.kind != SEEN_NOTHING);
	}
}

static void check_expects(const struct drill *d)
{
	char why[OPT_ERROR_MAX];

	for (unsigned i = 0; i < d->expect.count; i++) {
		const struct expect *e = &d->expect.at[i];

		FUZZ_CHECK(selector_check(e->what, why) == 0);
		FUZZ_CHECK(!selector_missing(d, e->what));
		FUZZ_CHECK(e->is_text || e->low <= e->high);
		(void)selector_is_time(e->what);
		hold(e);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct drill d;
	char name[FUZZ_NAME_MAX], error[OPT_ERROR_MAX] = "", text[OPT_TEXT_MAX];
	const int fd = fuzz_file(data, len, name), r = drill_read(&d, name, error);

	FUZZ_CHECK((r < 0) == (error[0] != '\0'));
	if (r == 0) {
		check_expects(&d);
		for (unsigned i = 0; i < d.step.count; i++)
			FUZZ_CHECK(d.step.at[i].verb);
		print_all(&d);
		(void)drill_missed(&d.step_missed, 0, text, sizeof(text));
	}
	close(fd);
	return 0;
}
