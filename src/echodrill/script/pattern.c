/* SPDX-License-Identifier: MIT
 * pattern: remembers a lack of memory, as lab/tojson.c does; whoever gives out a verdict looks.
 */
#include "pattern.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	NODES_MAX = 10000, /* some megabytes of libc's */
	DEPTH_MAX = 32,
	REPEAT_MAX = 32767, /* RE_DUP_MAX */
};

static atomic_bool refused;

static int pattern_result(int r)
{
	if (r == REG_ESPACE)
		atomic_store(&refused, true);
	return r == 0 ? 0 : r == REG_ESPACE ? -ENOMEM : -EINVAL;
}

/* A part of a pattern in parentheses: so many nodes as are there so far, and in its last atom. */
struct extent {
	uint64_t nodes, last;
};

/* Returns the last character of a bracket expression that begins at @at. */
static const char *bracket_end(const char *at)
{
	at += at[1] == '^' ? 2 : 1;
	at += *at == ']';
	for (; *at && *at != ']'; at++)
		if (*at == '[' && at[1] && strchr(":.=", at[1])) {
			const char *end = strchr(at + 2, ']');

			at = end ? end : at;
		}
	return *at ? at : at - 1;
}

/* How often {n}, {n,} or {n,m} repeats what stands before it. */
static uint64_t bound_at(const char *at)
{
	char *end;
	const unsigned long least = strtoul(at + 1, &end, 10);
	const unsigned long most = *end == ',' ? strtoul(end + 1, NULL, 10) : least;

	return 1 + (least > most ? least : most) % (REPEAT_MAX + 1);
}

/* libc writes out what is repeated: `a+` is `aa*`, and a sign behind a sign doubles again. */
static bool is_too_large(const char *text)
{
	struct extent stack[DEPTH_MAX] = { 0 }, *e = stack;

	for (const char *at = text; *at; at++) {
		uint64_t times = 1;

		if (*at == '(') {
			if (++e == stack + DEPTH_MAX)
				return true;
			*e = (struct extent){ 0, 0 };
			continue;
		}
		if (*at == '*' || *at == '?' || *at == '|')
			continue;
		if (*at == '+' || *at == '{') {
			times = *at == '+' ? 2 : bound_at(at);
			e->nodes += e->last * (times - 1);
			e->last *= times;
		} else {
			const bool closes = *at == ')' && e > stack;
			const uint64_t inside = closes ? (e--)->nodes : 1;

			e->nodes += inside;
			e->last = inside;
		}
		if (e->nodes > NODES_MAX)
			return true;
		if (*at == '\\' && at[1])
			at++;
		if (*at == '[')
			at = bracket_end(at);
	}
	return false;
}

int pattern_open(regex_t *re, const char *text)
{
	if (is_too_large(text))
		return -EINVAL;
	return pattern_result(regcomp(re, text, REG_EXTENDED | REG_NOSUB));
}

int pattern_check(const char *text)
{
	regex_t re;
	const int r = pattern_open(&re, text);

	if (r == 0)
		regfree(&re);
	return r;
}

bool pattern_finds(const regex_t *re, const char *text)
{
	return pattern_result(regexec(re, text, 0, NULL, 0)) == 0;
}

bool pattern_no_memory(void)
{
	return atomic_load(&refused);
}

int pattern_outcome(int r, const char *path, char error[OPT_ERROR_MAX])
{
	if (r == 0 || !pattern_no_memory())
		return r;
	snprintf(error, OPT_ERROR_MAX, "%.300s: %s", path, strerror(ENOMEM));
	return -ENOMEM;
}
