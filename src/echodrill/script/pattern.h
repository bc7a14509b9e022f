/* SPDX-License-Identifier: MIT
 * pattern: regular expressions (extended, without groups) of drills and programs. That there was no
 * memory to look for one must not pass for a text that is not there.
 */
#ifndef ECHODRILL_PATTERN_H
#define ECHODRILL_PATTERN_H

#include <regex.h>
#include <stdbool.h>

#include "echo/base/opt.h"

/* @text is to be given back by regfree. Returns 0, -EINVAL: it is no regular expression, or repeats
 * so much that libc would take gigabytes for it (`a++++++...`), or -ENOMEM. */
int pattern_open(regex_t *re, const char *text);

/* The same, for what is used later. */
int pattern_check(const char *text);

bool pattern_finds(const regex_t *re, const char *text);

/* Whether memory was missing in one of these calls of this process: then what they have said since
 * may be wrong. */
bool pattern_no_memory(void);

/* What comes of reading the file @path: @r, with @error, or -ENOMEM, said there, where it was
 * refused for want of memory. */
int pattern_outcome(int r, const char *path, char error[OPT_ERROR_MAX]);

#endif
