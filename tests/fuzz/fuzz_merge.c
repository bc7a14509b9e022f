/* SPDX-License-Identifier: MIT
 * fuzz_merge: one to three results, or JSON Lines, that are added up and printed. They may be
 * refused; nothing else may happen. The first byte chooses what is printed.
 *
 * reads: src/echoload/tools/merge.c src/echoload/tools/merge_file.c src/echoload/tools/merge_load.c
 * reads: src/echoload/tools/merge_generator.c src/echoload/tools/merge_inputs.c
 * reads: src/echoload/tools/merge_intervals.c src/echoload/tools/merge_outages.c
 * reads: src/echoload/tools/merge_parts.c src/echoload/tools/merge_read.c
 * reads: src/echoload/tools/merge_read_part.c src/echoload/tools/merge_value.c
 * words: docs/echoload-1.schema.json
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/program.h"
#include "echoload/tools/merge.h"
#include "lib/fuzz.h"

enum { FILES_MAX = 3 };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	return fuzz_mutate_json(data, len, max, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char command[] = "merge", dash_o[] = "-o", text[] = "text", json[] = "json";
	struct fuzz_input in = { data, data + len };
	char *output = fuzz_byte(&in) % 2 ? json : text, names[FILES_MAX][FUZZ_NAME_MAX];
	char *argv[4 + FILES_MAX] = { command, dash_o, output };
	int fds[FILES_MAX], count = 0, code;

	do {
		size_t size;
		char *part = fuzz_part(&in, &size);

		fds[count] = fuzz_file(part, size, names[count]);
		argv[3 + count] = names[count];
		count++;
		free(part);
	} while (count < FILES_MAX && in.at < in.end);
	code = merge_main(3 + count, argv);
	FUZZ_CHECK(code != EXIT_INTERNAL && code != EXIT_ENVIRONMENT);
	while (count > 0)
		close(fds[--count]);
	return 0;
}
