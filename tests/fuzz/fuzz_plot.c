/* SPDX-License-Identifier: MIT
 * fuzz_plot: any bytes as a run that is drawn: refused with a reason, or a script whose text holds
 * nothing that gnuplot could take for a command.
 *
 * reads: src/echoload/tools/plot_read.c src/echoload/tools/plot_script.c
 * reads: src/echoload/tools/run_file.c
 * words: docs/echoload-1.schema.json
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "echoload/tools/plot_private.h"
#include "lib/fuzz.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	return fuzz_mutate_json(data, len, max, seed);
}

/* What the file can reach of the script are numbers, and this one text. */
static void check_title(const char *script)
{
	const char *title = strstr(script, "\ntitle = \"");

	FUZZ_CHECK(title);
	title += strlen("\ntitle = \"");
	for (; *title != '"'; title++)
		FUZZ_CHECK((unsigned char)*title >= ' ' && *title != '`' && *title != '@');
	FUZZ_CHECK(title[1] == '\n');
}

static void draw(const struct plot_data *p)
{
	char *script = NULL;
	size_t len;
	FILE *to = open_memstream(&script, &len);

	FUZZ_CHECK(to);
	plot_script(p, p->count % 2, to);
	FUZZ_CHECK(fclose(to) == 0);
	check_title(script);
	free(script);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct plot_data p;
	char name[FUZZ_NAME_MAX];
	const int fd = fuzz_file(data, len, name), r = plot_read(&p, name);

	FUZZ_CHECK((r < 0) == (p.error[0] != '\0'));
	if (r == 0)
		draw(&p);
	plot_free(&p);
	close(fd);
	return 0;
}
