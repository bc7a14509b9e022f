/* SPDX-License-Identifier: MIT
 * fuzz_program: any bytes as the file of somebody else's program: refused with its place, or it can
 * be checked and cured.
 *
 * reads: src/echodrill/script/program.c
 * words: src/echodrill/stage/proc.c
 * seeds: configs/programs
 */
#include <string.h>
#include <unistd.h>

#include "echodrill/script/program.h"
#include "lib/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct program p, made;
	char name[FUZZ_NAME_MAX], error[OPT_ERROR_MAX] = "", why[OPT_TEXT_MAX] = "";
	const int fd = fuzz_file(data, len, name), r = program_read(&p, name, error);

	FUZZ_CHECK((r < 0) == (error[0] != '\0'));
	if (r == 0) {
		FUZZ_CHECK((program_check(&p, why) < 0) == (why[0] != '\0'));
		FUZZ_CHECK(p.uncured.count > 0 || !program_uncured(&p, "program-hung"));
		(void)program_uncured(&p, "silent");
		program_from_command(&made, PROGRAM_CLIENT, p.client.start, p.client.request);
		FUZZ_CHECK((program_cure(&p) < 0) == (p.cure.what[0] == '\0'));
	}
	close(fd);
	return 0;
}
