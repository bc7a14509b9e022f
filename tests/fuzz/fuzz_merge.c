/* SPDX-License-Identifier: MIT
 * fuzz_merge: any bytes as a result that is added up and printed, and as a run that is drawn. They
 * may be refused; nothing else may happen. A good seed is what echoload --json has written.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echo/base/program.h"
#include "echoload/tools/merge.h"
#include "echoload/tools/plot_private.h"

static void draw(const char *name)
{
	struct plot_data p;
	char *script;
	size_t len;
	FILE *to;

	if (plot_read(&p, name) == 0) {
		to = open_memstream(&script, &len);
		assert(to);
		plot_script(&p, true, to);
		fclose(to);
		free(script);
	}
	plot_free(&p);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO) < 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char name[64], command[] = "merge";
	char *argv[] = { command, name, NULL };
	int fd = memfd_create("result", MFD_CLOEXEC), code;

	assert(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	code = merge_main(2, argv);
	assert(code != EXIT_INTERNAL);
	draw(name);
	close(fd);
	return 0;
}
