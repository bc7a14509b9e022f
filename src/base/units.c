/* SPDX-License-Identifier: MIT
 * units: a value is divided until it has at most three digits in front of the point, as it will be
 * printed: 999.6 us are 1.00 ms.
 */
#include "echo/base/units.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "echo/base/base.h"

enum { DIGITS_MAX = 9 };

/* How many digits behind the point leave @value with @digits significant ones once it is rounded.
 */
static int decimals(double value, unsigned digits)
{
	double half = 0.5; /* of the last digit that is printed */

	for (unsigned i = 1; i < digits; i++)
		half /= 10;
	for (int d = (int)digits - 1; d > 0; d--) {
		if (value < 10 - half)
			return d;
		value /= 10;
	}
	return 0;
}

/* @value in the first of @count units (each 1000 times the one before) that leaves it below 1000.
 */
static char *scale(double value, const char *const units[], size_t count, unsigned digits,
		   char text[UNITS_MAX])
{
	size_t unit = 0;
	double half = 0.5;

	assert(value >= 0 && digits >= 1 && digits <= DIGITS_MAX);
	for (unsigned i = 3; i < digits; i++)
		half /= 10;
	while (unit + 1 < count && value >= 1000 - (unit > 0 ? half : 0)) {
		value /= 1000;
		unit++;
	}
	/* the smallest unit is not divisible */
	snprintf(text, UNITS_MAX, "%.*f %s", unit > 0 ? decimals(value, digits) : 0, value,
		 units[unit]);
	return text;
}

char *units_time(int64_t ns, unsigned digits, char text[UNITS_MAX])
{
	static const char *const names[] = { "ns", "us", "ms", "s" };
	bool negative = ns < 0;
	char magnitude[UNITS_MAX];

	if (ns == 0) {
		snprintf(text, UNITS_MAX, "0 s");
		return text;
	}
	scale(negative ? -(double)ns : (double)ns, names, ARRAY_LEN(names), digits, magnitude);
	snprintf(text, UNITS_MAX, "%s%.40s", negative ? "-" : "", magnitude);
	return text;
}

char *units_bytes(double bytes, unsigned digits, char text[UNITS_MAX])
{
	static const char *const names[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };

	return scale(bytes, names, ARRAY_LEN(names), digits, text);
}

char *units_count(uint64_t n, char text[UNITS_MAX])
{
	char plain[UNITS_MAX];
	size_t len = (size_t)snprintf(plain, sizeof(plain), "%llu", (unsigned long long)n), out = 0;

	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			text[out++] = ',';
		text[out++] = plain[i];
	}
	text[out] = 0;
	return text;
}
