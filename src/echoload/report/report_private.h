/* SPDX-License-Identifier: MIT
 * report_private: JSON objects that the reporters share. Each is the caller's, or NULL: no memory.
 */
#ifndef ECHOLOAD_REPORT_PRIVATE_H
#define ECHOLOAD_REPORT_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "echo/lab/tojson.h"

struct interval;
struct latency;
struct outage;
struct result;
struct service_row;

/* A key and its number; UNKNOWN becomes null. */
struct field {
	const char *key;
	int64_t value;
};

static const int64_t UNKNOWN = INT64_MIN;

#define REPORT_JSON_REAL                                                                           \
	JSON_REAL_PRECISION(15) /* shorter than they are stored: 0.1, not 0.1000... */

/* Puts @value into @object, which takes it. Either may be NULL. Returns whether all went well. */
bool report_json_put(json_t *object, const char *key, json_t *value);

json_t *report_json_numbers(const struct field *fields, size_t count);
int64_t report_json_or_unknown(int64_t value); /* a time, -1 for none */
json_t *report_json_rate(double per_second);
json_t *report_json_latency(const struct latency *l);
json_t *report_json_interval(const struct interval *i);
json_t *report_json_outage(const struct outage *o);
json_t *report_json_service(const struct service_row *rows, unsigned count);

/* report_context.c: puts "config" and "config_source". Returns whether all went well. */
bool report_json_configs(json_t *root, const struct result *r);
json_t *report_json_context(const struct result *r);
/* Puts "part", if the result is that of a part. Returns whether all went well. */
bool report_json_part(json_t *root, const struct result *r);

/* report_json.c: the whole result. */
json_t *report_json_result(const struct result *r);

#endif
