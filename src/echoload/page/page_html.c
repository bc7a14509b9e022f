/* SPDX-License-Identifier: MIT
 * page_html: the template with what belongs into it.
 *
 * Text comes from files that anybody may have written. There are two ways into the page, and each
 * has one function that makes it harmless: escape_markup for what a reader sees before any script
 * runs, put_json for the model, which scripts show as text nodes only. Scripts and styles run by a
 * nonce that is new in every page, so that nothing in a result could name it.
 */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/lab/tojson.h"
#include "page_private.h"

enum { NONCE_BYTES = 16 };

/* Files of this folder, as the Makefile puts them into the program. */
extern const char asset_page_html[], asset_page_css[], asset_format_js[], asset_model_js[],
	asset_chart_js[], asset_table_js[], asset_page_js[];

struct html {
	const struct page *page;
	FILE *to;
	char nonce[2 * NONCE_BYTES + 1];
};

/* In JSON a "<" stands only in strings, and "\u003c" means the same there: no tag and no comment of
 * HTML can begin or end in it. */
static int put_byte(const char *buffer, size_t size, void *data)
{
	FILE *to = data;

	for (size_t i = 0; i < size; i++) {
		if (buffer[i] == '<')
			fputs("\\u003c", to);
		else
			fputc(buffer[i], to);
	}
	return 0;
}

static void put_title(const struct html *h)
{
	escape_markup(h->to, h->page->title);
}

static void put_verdict(const struct html *h)
{
	escape_markup(h->to, h->page->verdict);
}

static void put_grade(const struct html *h)
{
	escape_markup(h->to, h->page->grade);
}

static void put_nonce(const struct html *h)
{
	fputs(h->nonce, h->to);
}

static void put_model(const struct html *h)
{
	/* what it lacks is seen at the end */
	(void)json_dump_callback(h->page->model, put_byte, h->to, JSON_COMPACT);
}

static void put_style(const struct html *h)
{
	fprintf(h->to, "%s\n%s", h->page->library_css, asset_page_css);
}

static void put_library(const struct html *h)
{
	fputs(h->page->library, h->to);
}

static void put_script(const struct html *h)
{
	fprintf(h->to, "%s\n%s\n%s\n%s\n%s", asset_format_js, asset_model_js, asset_table_js,
		asset_chart_js, asset_page_js);
}

static const struct slot {
	const char *name;
	void (*put)(const struct html *h);
} slots[] = {
	{ "title", put_title },     { "verdict", put_verdict }, { "grade", put_grade },
	{ "nonce", put_nonce },     { "model", put_model },     { "style", put_style },
	{ "library", put_library }, { "script", put_script },
};

/* Writes what stands for the slot that @name begins with, up to its "}}". */
static void put_slot(const struct html *h, const char *name)
{
	const size_t len = strcspn(name, "}");

	for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
		if (strlen(slots[i].name) == len && strncmp(slots[i].name, name, len) == 0) {
			slots[i].put(h);
			return;
		}
	}
	assert(false); /* every slot of the template is in the table */
}

static int make_nonce(char *nonce)
{
	uint8_t bytes[NONCE_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -errno;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int page_html(const struct page *p, FILE *to)
{
	struct html h = { .page = p, .to = to };
	const char *rest = asset_page_html, *slot;
	const int e = make_nonce(h.nonce);

	if (e < 0)
		return e;
	for (; (slot = strstr(rest, "{{")); rest = strstr(slot, "}}") + 2) {
		fwrite(rest, 1, (size_t)(slot - rest), to);
		put_slot(&h, slot + 2);
	}
	fputs(rest, to);
	if (tojson_no_memory())
		return -ENOMEM;
	errno = 0;
	return fflush(to) == 0 && !ferror(to) ? 0 : errno ? -errno : -EIO;
}
