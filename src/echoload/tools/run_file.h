/* SPDX-License-Identifier: MIT
 * run_file: the runs that a file of echoload tells of, whether it is a result (--json), several of
 * them, or JSON Lines of runs that have ended, go on, or were killed.
 */
#ifndef ECHOLOAD_RUN_FILE_H
#define ECHOLOAD_RUN_FILE_H

#include <jansson.h>
#include <stdint.h>

enum { RUN_FILE_ERROR_MAX = 256 };

/* Returns an array of objects of schema echoload/1, the caller's. Of JSON Lines a run has all its
 * intervals, those too that found no room in its result. One without an end has no "exit", and only
 * what was told until then: context, config, intervals, outages. What stands in the objects is
 * data, and nothing of it has been checked. Damaged lines are left out, and @error names the first
 * of them; "": none, but for a last one that is cut. NULL: @error says why, and so does errno. */
json_t *run_file_read(const char *name, char error[RUN_FILE_ERROR_MAX]);

/* A number that can be: an integer, not negative, and none whose sums and differences overflow. */
int64_t run_file_number(const json_t *o, const char *key, int64_t otherwise);

/* "": there is none. */
const char *run_file_text(const json_t *o, const char *key);

/* All that can be read of a file. Returns 0 or -errno; @text is to be freed in any case. */
int run_file_load(const char *name, char **text, size_t *size);

#endif
