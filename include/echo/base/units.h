/* SPDX-License-Identifier: MIT
 * units: quantities as people read them: "25.7 us", "1.03 s", "7.90 MB", "1,234,567".
 *
 * Each writes to @text and returns it. @digits (1 to 9) are significant; digits in front of the
 * point are never cut.
 */
#ifndef ECHO_UNITS_H
#define ECHO_UNITS_H

#include <stdint.h>

enum { UNITS_MAX = 48 };

/* A time: "0 s", "873 ns", "25.7 us", "-1.50 ms", "1.03 s", "5400 s". */
char *units_time(int64_t ns, unsigned digits, char text[UNITS_MAX]);

/* Bytes, in powers of 1000: "64 B", "7.90 MB". @bytes is finite and not negative. */
char *units_bytes(double bytes, unsigned digits, char text[UNITS_MAX]);

/* A whole number: "1,234,567". */
char *units_count(uint64_t n, char text[UNITS_MAX]);

#endif
