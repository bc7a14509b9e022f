/* SPDX-License-Identifier: MIT
 * base64: RFC 4648, with its padding and without line breaks.
 */
#include "echo/base/base64.h"

#include <stdlib.h>

char *base64_encode(const uint8_t *from, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc((len + 2) / 3 * 4 + 1), *p = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < len; i += 3) {
		uint32_t v = (uint32_t)from[i] << 16;

		if (i + 1 < len)
			v |= (uint32_t)from[i + 1] << 8;
		if (i + 2 < len)
			v |= from[i + 2];
		*p++ = digits[v >> 18];
		*p++ = digits[v >> 12 & 63];
		*p++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*p++ = i + 2 < len ? digits[v & 63] : '=';
	}
	*p = 0;
	return text;
}
