/* SPDX-License-Identifier: MIT
 * base: the few words that every file of echolab may need and that C does not have.
 */
#ifndef ECHO_BASE_H
#define ECHO_BASE_H

#include <assert.h> /* static_assert */
#include <stddef.h>
#include <stdint.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of @type whose @member is at @ptr. */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define USEC(n)                         ((int64_t)(n)*1000)
#define MSEC(n)                         ((int64_t)(n)*1000 * 1000)
#define SEC(n)                          ((int64_t)(n)*1000 * 1000 * 1000)

static inline size_t size_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t size_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

#endif
