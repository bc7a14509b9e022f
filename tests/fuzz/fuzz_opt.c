/* SPDX-License-Identifier: MIT
 * fuzz_opt: any bytes as a config file. It may be refused, with a reason; nothing else may happen.
 */
#include <assert.h>

#include "echo/base/opt.h"

struct config {
	unsigned workers, backend;
	uint64_t size;
	int64_t timeout;
	double rate;
	char name[16];
	bool fast;
};

static const char *const names[] = { "auto", "epoll", NULL };
static const struct opt rows[] = {
	OPT_UINT(config, workers, "0", 0, 1024, "threads"),
	OPT_ENUM(config, backend, "auto", names, "backend"),
	OPT_SIZE(config, size, "64", 1, INT64_MAX, "bytes"),
	OPT_TIME(config, timeout, "off", 0, INT64_MAX, "time"),
	OPT(config, rate, opt_double, "0.5", "rate", .min = -5, .max = 5),
	OPT_STRING(config, name, NULL, "name", .repeats = true),
	OPT_BOOL(config, fast, "no", "fast"),
	OPT_END,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct opt_set s = { .program = "fuzz" };
	struct config config;
	FILE *f = fmemopen((void *)(uintptr_t)data, len, "r");

	opt_add(&s, "server", rows, &config);
	assert(f && opt_read_defaults(&s) == 0);
	assert((opt_read_file(&s, f, "fuzz.conf") < 0) == (s.error[0] != '\0'));
	return fclose(f);
}
