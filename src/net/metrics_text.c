/* SPDX-License-Identifier: MIT
 * metrics_text: all metrics of a program as one text.
 */
#include "echo/base/output.h"
#include "echo/net/metrics_server.h"
#include "metrics_private.h"

char *metrics_text(const struct metrics_server *s, size_t *len)
{
	struct output_text b;

	if (output_text_open(&b) < 0)
		return NULL;
	s->print(b.to, s->arg);
	if (output_text_close(&b) < 0)
		return NULL;
	*len = b.len;
	return b.text;
}
