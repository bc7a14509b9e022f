/* SPDX-License-Identifier: MIT
 * fuzz_page: any bytes as a file of runs that are shown as a page. gnuplot, which would draw a part
 * of it, is not asked.
 *
 * reads: src/echoload/page/page_columns.c src/echoload/page/page_curve.c
 * reads: src/echoload/page/page_heat.c src/echoload/page/page_html.c src/echoload/page/page_model.c
 * reads: src/echoload/page/page_verdict.c src/echoload/tools/run_file.c
 * seeds: tests/fuzz/corpus/plot
 * words: docs/echoload-1.schema.json
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo/lab/gnuplot.h"
#include "echoload/page/page_private.h"
#include "echoload/tools/run_file.h"
#include "lib/fuzz.h"

enum { SHOWN_MAX = 2 };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	return fuzz_mutate_json(data, len, max, seed);
}

/* In the place of the lab's. */
const char *gnuplot_run(FILE *script, FILE *picture)
{
	FUZZ_CHECK(ftell(script) > 0);
	fputs("PNG", picture);
	return NULL;
}

/* The page has as many tags as its template: none of the text of a run became one. */
static unsigned count_tags(const json_t *model, const char *title)
{
	const struct page page = { .title = title,
				   .verdict = run_file_text(model, "verdict"),
				   .grade = run_file_text(model, "grade"),
				   .model = model,
				   .library = "",
				   .library_css = "" };
	unsigned tags = 0;
	char *html = NULL;
	size_t len;
	FILE *to = open_memstream(&html, &len);

	FUZZ_CHECK(to && page_html(&page, to) == 0 && fclose(to) == 0);
	for (const char *at = html; (at = strchr(at, '<')); at++)
		tags++;
	free(html);
	return tags;
}

static void show(json_t *run, const char *label)
{
	static unsigned tags;
	json_t *model;

	if (tags == 0) {
		json_t *none = json_object();

		tags = count_tags(none, "");
		json_decref(none);
	}
	FUZZ_CHECK(page_model(run, label, &model) == 0);
	FUZZ_CHECK(count_tags(model, label) == tags);
	json_decref(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char name[FUZZ_NAME_MAX], why[RUN_FILE_ERROR_MAX];
	const int fd = fuzz_file(data, len, name);
	json_t *runs = run_file_read(name, why);

	FUZZ_CHECK(runs);
	for (size_t i = 0; i < json_array_size(runs) && i < SHOWN_MAX; i++) {
		json_t *run = json_array_get(runs, i);

		show(run, run_file_text(run, "phase"));
	}
	json_decref(runs);
	close(fd);
	return 0;
}
