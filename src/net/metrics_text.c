/* SPDX-License-Identifier: MIT
 * metrics_text: all metrics of a program as one text.
 */
#include <stdlib.h>

#include "echo/net/metrics_server.h"
#include "metrics_private.h"

char *metrics_text(const struct metrics_server *s, size_t *len)
{
	char *text = NULL;
	FILE *to = open_memstream(&text, len);

	if (!to)
		return NULL;
	s->print(to, s->arg);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}
