/* SPDX-License-Identifier: MIT
 * tojson: values of results as JSON, and how they are written. Each value is the caller's; NULL: no
 * memory.
 */
#ifndef ECHO_TOJSON_H
#define ECHO_TOJSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A string; JSON is UTF-8, but arguments, names of files and what programs print need not be. */
json_t *tojson_text(const char *s);

/* A number, or null: JSON knows neither NAN nor infinity. */
json_t *tojson_real(double v);

/* Writes and frees @value, with jansson's @flags and a newline; flushed. Returns 0 or -errno; NULL
 * is -ENOMEM, and so is any value when jansson was once refused memory. */
int tojson_write(json_t *value, size_t flags, FILE *to);

/* Whether jansson was refused memory since the program began: any of its values may lack
 * something, and what it could not read need not be wrong. */
bool tojson_no_memory(void);

#endif
