/* SPDX-License-Identifier: MIT
 * fuzz_server_file: any bytes as the file of somebody else's server: refused with a reason, or
 * there is a command that starts it.
 *
 * reads: src/echobench/run/server_file.c
 * seeds: configs/servers
 */
#include <string.h>
#include <unistd.h>

#include "echobench/run/commands.h"
#include "echobench/run/server_file.h"
#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct server_file f;
	char name[FUZZ_NAME_MAX], error[OPT_ERROR_MAX] = "", command[COMMAND_MAX];
	const unsigned open = fuzz_open_files();
	const int fd = fuzz_file(data, len, name), r = server_file_read(&f, name, error);

	FUZZ_CHECK((r < 0) == (error[0] != '\0'));
	if (r == 0) {
		FUZZ_CHECK(server_file_is_name(f.name) && f.story[0] && f.leaves_out[0]);
		server_file_command(&f, command, sizeof(command));
		FUZZ_CHECK(strstr(command, f.program));
		FUZZ_CHECK(strstr(command, "{port}") || strstr(command, "{addr}"));
	}
	close(fd);
	FUZZ_CHECK(fuzz_open_files() == open);
	return 0;
}
