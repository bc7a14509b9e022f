/* SPDX-License-Identifier: MIT
 * printed: what a client has printed, as figures. It may be anybody's program: nothing of it is
 * believed before it was looked at.
 */
#ifndef ECHOBENCH_PRINTED_H
#define ECHOBENCH_PRINTED_H

#include <jansson.h>
#include <stdint.h>

/* The JSON of a command's output, the caller's: all of it, or its last line. NULL: there is none.
 */
json_t *printed_json(const char *text);

/* The number at ".key.of.json"; a number between dots is an index. NAN: there is none. */
double printed_number(const json_t *json, const char *path);

/* How many messages came back, of whatever kind of result says it; 0: it is not known, or more than
 * anybody can have counted. */
uint64_t printed_messages(const json_t *json);

#endif
