/* SPDX-License-Identifier: MIT
 * fuzz_addr: any text is refused, or is an address whose printed form is the same address.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[1024], printed[ADDR_TEXT_MAX];
	struct addr a, again;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, data, len);
	text[len] = 0;
	if (addr_parse(&a, text) < 0)
		return 0;
	addr_format(&a, printed);
	if (addr_parse(&again, printed) < 0 || !addr_equal(&a, &again))
		abort();
	if (addr_port(&a) > 65535 || strlen(printed) >= ADDR_TEXT_MAX)
		abort();
	return 0;
}
