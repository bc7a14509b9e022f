/* SPDX-License-Identifier: MIT
 * opt_load: all origins of values in the order of their precedence: defaults, the configuration
 * file, the environment, the command line. Each stores its values through opt_apply.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "opt_private.h"

static int read_named_file(struct opt_set *s, const char *name)
{
	FILE *f = fopen(name, "re");
	int r;

	if (!f) {
		r = -errno;
		opt_fail(s, "%.200s: cannot be opened: %s", name, strerror(-r));
		return r;
	}
	r = opt_read_file(s, f, name);
	fclose(f);
	return r;
}

int opt_load(struct opt_set *s, int argc, char **argv, char *const *env)
{
	const char *file = NULL;
	int r;

	assert(s->count > 0 && argv && env);
	s->file = NULL;
	s->error[0] = '\0';
	r = opt_read_defaults(s);
	if (r < 0)
		return r;
	r = opt_peek_args(s, argc, argv, &file);
	if (r != 0)
		return r < 0 ? r : 0;
	if (file)
		r = read_named_file(s, file);
	if (r < 0)
		return r;
	r = opt_read_env(s, env);
	return r < 0 ? r : opt_read_args(s, argc, argv);
}
