/* SPDX-License-Identifier: MIT
 * bench_opt: reading a configuration: nobody waits for it, and a program's start must not either.
 */
#include "bench.h"

#include <stdint.h>
#include <string.h>

#include "echo/base/opt.h"

struct config {
	unsigned workers;
	uint64_t size;
	int64_t timeout;
	bool verify;
};

static const struct opt rows[] = {
	OPT_UINT(config, workers, "0", 0, 1024, "threads"),
	OPT_SIZE(config, size, "64", 1, 1 << 30, "bytes"),
	OPT_TIME(config, timeout, "2s", 0, INT64_MAX, "time"),
	OPT_BOOL(config, verify, "on", "compare"),
	OPT_END,
};

static const char text[] =
	"[server]\nworkers = 4 ; of them\nsize = 64Ki\ntimeout = 1.5s\nverify = off\n";

BENCH(opt_read_file)
{
	struct config c = { 0 };

	while (bench_next(b)) {
		struct opt_set s = { .program = "bench" };
		FILE *f = fmemopen((void *)(uintptr_t)text, sizeof(text) - 1, "r");

		opt_add(&s, "server", rows, &c);
		if (!f || opt_read_defaults(&s) < 0 || opt_read_file(&s, f, "text") < 0)
			bench_skip(b, s.error);
		if (f)
			fclose(f);
	}
	bench_bytes(b, sizeof(text) - 1);
}
