/* SPDX-License-Identifier: MIT
 * report_words: causes in the words of a reader, and text that must not break a table.
 */
#include <stddef.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "report.h"

static const struct {
	const char *cause, *words;
} causes[] = {
	{ "eof", "end of file" },
	{ "eof_early", "end of file instead of the answer" },
	{ "reset", "`ECONNRESET`" },
	{ "refused", "`ECONNREFUSED`" },
	{ "timeout_connect", "its own time limit" },
	{ "timeout_answer", "its own time limit" },
	{ "timeout_tcp", "`ETIMEDOUT`" },
	{ "host_unreachable", "`EHOSTUNREACH`" },
	{ "net_unreachable", "`ENETUNREACH`" },
	{ "prohibited", "`EACCES`" },
	{ "aborted", "`ECONNABORTED`" },
};

const char *report_cause_words(const char *cause)
{
	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (strcmp(causes[i].cause, cause) == 0)
			return causes[i].words;
	return cause;
}

void report_cell(const char *text, FILE *to)
{
	char plain[4 * OPT_TEXT_MAX];

	for (const char *c = escape_text(text, plain, sizeof(plain)); *c; c++)
		fprintf(to, *c == '|' ? "\\%c" : "%c", *c);
}
