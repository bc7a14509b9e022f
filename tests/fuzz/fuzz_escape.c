/* SPDX-License-Identifier: MIT
 * fuzz_escape: what a server, a file or another program says, as terminals and pages see it: no
 * control byte, no character that turns a line round, and nothing that is no UTF-8.
 *
 * reads: src/base/escape.c
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "lib/fuzz.h"

/* A control byte, the end of a line, and two that turn a line round. */
static const char commands[][4] = {
	{ '\xc2', '\x9b' },
	{ '\xe2', '\x80', '\xa8' },
	{ '\xe2', '\x80', '\xae' },
	{ '\xe2', '\x81', '\xa6' },
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	FUZZ_CHECK(setlocale(LC_CTYPE, "C.UTF-8"));
	return 0;
}

static void check_shown(const char *text)
{
	for (const char *c = text; *c; c++)
		FUZZ_CHECK((unsigned char)*c >= ' ' && *c != 0x7f);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		FUZZ_CHECK(!strstr(text, commands[i]));
	FUZZ_CHECK(mbstowcs(NULL, text, 0) != (size_t)-1);
	FUZZ_CHECK(!escape_needed(text));
}

static char *marked_up(const char *text, bool line)
{
	char *out = NULL;
	size_t len;
	FILE *to = open_memstream(&out, &len);

	FUZZ_CHECK(to);
	if (line)
		escape_line(to, "%s", text);
	else
		escape_markup(to, text);
	FUZZ_CHECK(fclose(to) == 0);
	return out;
}

/* As a client for people shows what a server says: bytes that nothing ends. */
static void check_bytes(const uint8_t *data, size_t len)
{
	char *copy = malloc(len ? len : 1), out[ESCAPE_MAX];

	FUZZ_CHECK(copy);
	memcpy(copy, data, len);
	for (size_t at = 0; at < len;) {
		at += escape_next(copy + at, len - at, out);
		check_shown(out);
		FUZZ_CHECK(at <= len);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = { data, data + len };
	char *text = fuzz_part(&in, NULL), *out;
	const size_t size = strlen(text) * ESCAPE_MAX + 1;
	char *shown = malloc(size), few[8];

	FUZZ_CHECK(shown);
	check_shown(escape_text(text, shown, size));
	check_shown(escape_text(text, few, sizeof(few)));
	FUZZ_CHECK(escape_needed(text) == (strcmp(text, shown) != 0));
	out = marked_up(text, false);
	FUZZ_CHECK(!strpbrk(out, "<>\"'"));
	check_shown(out);
	free(out);
	out = marked_up(text, true);
	FUZZ_CHECK(strchr(out, '\n') == out + strlen(out) - 1);
	free(out);
	check_bytes(data, len);
	free(shown);
	free(text);
	return 0;
}
