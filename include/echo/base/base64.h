/* SPDX-License-Identifier: MIT
 * base64: bytes as printable text (RFC 4648, section 4).
 */
#ifndef ECHO_BASE64_H
#define ECHO_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* One line of text that stands for @len bytes, padded; the caller's to free. NULL: no memory. */
char *base64_encode(const uint8_t *from, size_t len);

#endif
