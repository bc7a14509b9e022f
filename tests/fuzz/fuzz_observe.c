/* SPDX-License-Identifier: MIT
 * fuzz_observe: any bytes as the result that a client left behind in a drill, and any name of
 * something in it.
 *
 * reads: src/echodrill/verdict/observe.c
 * words: docs/echoload-1.schema.json src/echodrill/script/selector.c
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "echodrill/script/expect.h"
#include "echodrill/script/program.h"
#include "echodrill/script/selector.h"
#include "echodrill/stage/run.h"
#include "echodrill/verdict/observe.h"
#include "lib/fuzz.h"

static struct record record;
static struct drill drill;
static struct program client;
static struct run_options options;
static struct run run = { .drill = &drill, .options = &options, .record = &record };

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	return fuzz_mutate_json(data, len, max, seed);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	record.marks = 1;
	record.mark[0] = (struct mark){ "fault", 1000, 2000 };
	record.end_ns = 5000;
	record.ending[0].started = true;
	record.looks = 1;
	record.look[0] = (struct look){ .label = "end", .zombies = 1 };
	record.dials = 1;
	record.dialed[0] = (struct dialed){ "dialed", "ETIMEDOUT" };
	timeline_add(&record.timeline, 1500, WHO_CLIENT, "the server is gone");
	for (unsigned i = 0; i < WIRE_SIDES; i++) {
		/* a capture in which nothing is: of nanoseconds, version 2.4, of Ethernet */
		const uint32_t head[] = { 0xa1b23c4d, 2 | 4 << 16, 0, 0, 256, 1 };

		run.pcap[i] = memfd_create("capture", MFD_CLOEXEC);
		FUZZ_CHECK(write(run.pcap[i], head, sizeof(head)) == sizeof(head));
	}
	return 0;
}

static void look_up(const char *what, bool foreign)
{
	char why[OPT_ERROR_MAX];
	struct seen s;

	if (selector_check(what, why) < 0 || strncmp(what, "wire", 4) == 0 ||
	    strstr(what, "@heard"))
		return; /* captures have a fuzzer of their own */
	options.client = foreign ? &client : NULL;
	(void)observe(&run, what, &s);
	FUZZ_CHECK(s.text[0] || s.kind == SEEN_TEXT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_input in = { data, data + len };
	char *names = fuzz_part(&in, NULL), *load = fuzz_part(&in, NULL), *rest = names, *name;

	snprintf(record.load, sizeof(record.load), "%s", load);
	observe_open(&run);
	while ((name = strsep(&rest, "\n"))) {
		look_up(name, false);
		look_up(name, true);
	}
	observe_close();
	free(names);
	free(load);
	return 0;
}
