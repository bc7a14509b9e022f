/* SPDX-License-Identifier: MIT
 * fuzz_printed: what anybody's client prints, for echobench: the path of a number, and the output.
 *
 * reads: src/echobench/run/printed.c
 * words: docs/echoload-1.schema.json
 */
#include <string.h>

#include "echobench/run/printed.h"
#include "lib/fuzz.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	return fuzz_mutate_json(data, len, max, seed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = { data, data + len };
	char *path = fuzz_part(&in, NULL), *text = fuzz_part(&in, NULL);
	json_t *json = printed_json(text);

	path[strcspn(path, "\n")] = '\0';
	(void)printed_number(json, path);
	(void)printed_messages(json);
	json_decref(json);
	free(path);
	free(text);
	return 0;
}
