/* SPDX-License-Identifier: MIT
 * prom: writes the lines of Prometheus' text exposition format.
 */
#include "echo/base/prom.h"

#include <inttypes.h>

const char prom_content_type[] = "text/plain; version=0.0.4; charset=utf-8";

void prom_head(FILE *to, const char *name, const char *type, const char *help)
{
	fprintf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Whether a label must write it as two characters, the second of which is returned; else 0. */
static char prom_escape(char c)
{
	return c == '\n' ? 'n' : c == '"' || c == '\\' ? c : '\0';
}

char *prom_label(const char *text, char *to, size_t size)
{
	size_t n = 0;

	for (; *text && n + 2 < size; text++) {
		const char escaped = prom_escape(*text);

		if (escaped)
			to[n++] = '\\';
		to[n++] = escaped ? escaped : *text;
	}
	to[n] = '\0';
	return to;
}

void prom_hist(FILE *to, const char *name, const struct prom_hist *h)
{
	const char *comma = h->labels[0] ? "," : "";
	const char *open = h->labels[0] ? "{" : "", *close = h->labels[0] ? "}" : "";
	uint64_t n = 0;

	for (unsigned i = 0; i < h->count; i++) {
		n += h->counts[i];
		fprintf(to, "%s_bucket{%s%sle=\"%.9g\"} %" PRIu64 "\n", name, h->labels, comma,
			h->bounds[i], n);
	}
	n += h->counts[h->count];
	fprintf(to, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, h->labels, comma, n);
	fprintf(to, "%s_sum%s%s%s %.9f\n", name, open, h->labels, close, h->sum);
	fprintf(to, "%s_count%s%s%s %" PRIu64 "\n", name, open, h->labels, close, n);
}
