/* SPDX-License-Identifier: MIT
 * words: what lines of drill files are made of.
 */
#ifndef ECHODRILL_WORDS_H
#define ECHODRILL_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include "echo/base/opt.h"

/* Takes the next word of *text into @word. Returns 0, or -EINVAL if there is none or it does not
 * fit. */
int word_next(const char **text, char *word, size_t size);

/* A time with its unit, at most a day. Returns 0 or -EINVAL. */
int word_time(const char *text, int64_t *ns);

/* Writes why a line is refused. Returns -EINVAL. */
int word_refuse(char why[OPT_ERROR_MAX], const char *reason);

#endif
