/* SPDX-License-Identifier: MIT
 * floor: runs bench/floor for a third of a second.
 */
#include "floor.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "echo/base/base.h"
#include "echo/base/program.h"
#include "echo/lab/child.h"
#include "echobench/opts.h"

double floor_measure(const struct bench_config *c)
{
	char path[PATH_MAX], command[COMMAND_MAX], *text;
	double ns = -1;
	struct child child;
	json_t *json;

	program_beside("bench/floor", path, sizeof(path));
	if (access(path, X_OK) != 0)
		return -1;
	snprintf(command, sizeof(command), "%.900s --json -d 0.3", path);
	if (child_start(&child, command, &c->server_cpus.set) < 0)
		return -1;
	if (child_wait(&child, SEC(20)) == 0 && WIFEXITED(child.status) &&
	    WEXITSTATUS(child.status) == 0) {
		text = child_text(child.out);
		json = text ? json_loads(text, 0, NULL) : NULL;
		if (json_is_number(json_object_get(json, "floor_ns")))
			ns = json_number_value(json_object_get(json, "floor_ns"));
		json_decref(json);
		free(text);
	}
	child_stop(&child, SEC(1));
	return ns;
}
