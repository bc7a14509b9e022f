/* SPDX-License-Identifier: MIT
 * agree: whether the client's result says of its connections what its wire shows.
 */
#ifndef ECHODRILL_AGREE_H
#define ECHODRILL_AGREE_H

#include <jansson.h>
#include <stddef.h>

struct ends;
struct run;

/* Compares the outcomes of @load (echoload/1) with the capture of @r. Returns by how many they
 * differ, with the kinds that do in @text ("0" if none), or -errno where there is no capture. */
int agree(const struct run *r, const json_t *load, char *text, size_t size);

/* The same with what was read from a capture. */
int agree_with(const struct ends *e, const json_t *load, char *text, size_t size);

#endif
