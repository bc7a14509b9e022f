/* SPDX-License-Identifier: MIT
 * fuzz_bench_options: configurations of echobench: refused with a reason, or printed so that they
 * read back as the same, and their commands are made.
 *
 * reads: src/echobench/opts.c src/echobench/run/commands.c
 * seeds: configs/bench
 */
#include <string.h>

#include "echo/base/opt.h"
#include "echobench/opts.h"
#include "echobench/run/commands.h"
#include "lib/fuzz.h"

struct set {
	struct opt_set opts;
	struct bench_config config;
};

static void begin(struct set *s)
{
	memset(s, 0, sizeof(*s));
	s->opts.program = "echobench";
	opt_add(&s->opts, "bench", bench_opts, &s->config);
	FUZZ_CHECK(opt_read_defaults(&s->opts) == 0);
}

static void make_commands(const struct bench_config *c)
{
	const struct workload w = { .connections = c->connections.at[0],
				    .size = c->size.at[0],
				    .pipeline = c->pipeline.at[0],
				    .mode = c->mode.at[0] };
	char command[COMMAND_MAX];
	struct cell cell = { .load = w };

	command_sides(&cell, c, c->server.count ? c->server.at[0] : c->b);
	for (unsigned s = 0; s < SIDES; s++) {
		char *filled;

		if (cell.server[s])
			command_server(c, cell.server[s], w.connections, command);
		command_client(c, &w, cell.client[s], command);
		filled = command_fill(command, c, &w, s ? "127.0.0.1:7007" : "");
		FUZZ_CHECK(filled);
		free(filled);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct set s;

	begin(&s);
	fuzz_words(*argc, *argv, &s.opts);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct set s, again;
	int r;

	begin(&s);
	begin(&again);
	if (fuzz_read_file(&s.opts, (const char *)data, len) < 0)
		return 0;
	fuzz_print_back(&s.opts, &again.opts);
	r = command_check(&s.opts, &s.config);
	if (r == 0)
		r = bench_check(&s.opts, &s.config);
	FUZZ_CHECK((r < 0) == (s.opts.error[0] != '\0'));
	if (r == 0)
		make_commands(&s.config);
	return 0;
}
