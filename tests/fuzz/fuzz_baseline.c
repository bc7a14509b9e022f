/* SPDX-License-Identifier: MIT
 * fuzz_baseline: any bytes as a kept result of echobench, with which today's is compared.
 *
 * reads: src/echobench/verdict/baseline.c
 * words: docs/echobench-1.schema.json
 */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "echo/base/opt.h"
#include "echobench/bench.h"
#include "echobench/report/output.h"
#include "lib/fuzz.h"

enum { CELLS = 4, BLOCKS = 8 };

static struct bench bench;
static struct cell cells[CELLS];
static struct bench_config config;
static struct block blocks[BLOCKS];

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	return fuzz_mutate_json(data, len, max, seed);
}

static void init_cell(struct cell *c, enum load_mode mode)
{
	c->config = &config;
	c->load = (struct workload){ .connections = 64, .size = 64, .pipeline = 1, .mode = mode };
	c->client[SIDE_A] = "";
	c->client[SIDE_B] = mode == MODE_CHURN ? "own {addr}" : "";
	c->name[SIDE_A] = "epoll";
	c->name[SIDE_B] = "io_uring";
	c->blocks = blocks;
	c->block_count = c->judged_blocks = BLOCKS;
	c->decided_by = mode == MODE_STREAM ? FIGURE_KEY : FIGURE_RATE;
	for (unsigned i = 0; i < FIGURES; i++)
		c->of[i].ratio = (struct paired){ .middle = 0.01, .low = 0, .high = 0.02 };
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct opt_set s = { .program = "echobench" };

	(void)argc;
	(void)argv;
	opt_add(&s, "bench", bench_opts, &config);
	FUZZ_CHECK(opt_read_defaults(&s) == 0);
	for (unsigned i = 0; i < CELLS; i++)
		init_cell(&cells[i], (enum load_mode)i);
	bench = (struct bench){ .cells = cells, .count = CELLS, .alpha = 0.1 };
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char name[FUZZ_NAME_MAX], why[WHY_MAX] = "", text[WHY_MAX];
	const int fd = fuzz_file(data, len, name), r = baseline_load(&bench, name, why);

	FUZZ_CHECK((r < 0) == (why[0] != '\0'));
	if (r == 0) {
		baseline_compare(&bench);
		FUZZ_CHECK(bench.compared <= CELLS && bench.regressions <= bench.compared);
		for (unsigned i = 0; i < CELLS; i++)
			FUZZ_CHECK(baseline_sentence(&bench, i, text)[0]);
		json_decref(bench.kept);
		free(bench.baseline);
	}
	bench.kept = NULL;
	bench.baseline = NULL;
	close(fd);
	return 0;
}
