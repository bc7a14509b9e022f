/* SPDX-License-Identifier: MIT
 * tool: variables of the environment say how to load a server. They are nothing to a tool.
 */
#include "tool.h"

#include "echo/base/log.h"
#include "echo/base/program.h"

int tool_begin(struct opt_set *s, const char *name, const struct opt *rows, void *config, int argc,
	       char **argv, int *code)
{
	char *none[] = { NULL };
	int r;

	s->command = name;
	opt_add(s, name, rows, config);
	r = opt_load(s, argc, argv, none);
	if (r < 0) {
		log_error("%s", s->error);
		*code = program_exit_unread(-r);
		return -1;
	}
	if (program_answer(s, config)) {
		*code = program_exit(EXIT_OK);
		return -1;
	}
	return r;
}
