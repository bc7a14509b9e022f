/* SPDX-License-Identifier: MIT
 * fuzz_load_options: load profiles with their phases, and what launchers say in the environment:
 * refused with a reason, or printed so that they read back as the same. Parts: the profile, and a
 * line for each variable that is asked for.
 *
 * reads: src/echoload/options/opts.c src/echoload/options/opts_type.c src/echoload/options/size.c
 * reads: src/echoload/options/srcaddr.c src/echoload/options/part.c src/base/cpu_list.c
 * seeds: configs/load
 */
#include <string.h>

#include "echo/base/opt.h"
#include "echo/net/backend.h"
#include "echo/net/metrics_server.h"
#include "echoload/options/opts.h"
#include "lib/fuzz.h"

struct set {
	struct opt_set opts;
	struct load_config config;
	struct metrics_options metrics;
	struct backend_choice backend;
};

static void begin(struct set *s)
{
	memset(s, 0, sizeof(*s));
	s->opts.program = "echoload";
	s->opts.has_phases = true;
	opt_add(&s->opts, "global", load_opts, &s->config);
	opt_add(&s->opts, "metrics", metrics_opts, &s->metrics);
	FUZZ_CHECK(backend_options(&s->backend, BACKEND_CONNECT, &s->opts) == 0);
}

static char *variables; /* what is left of the lines */

/* In the place of getenv: the next line, whatever is asked for; NULL for one that is empty. */
static char *next_variable(const char *name)
{
	char *line = variables ? strsep(&variables, "\n") : NULL;

	(void)name;
	return line && *line ? line : NULL;
}

static void failed_with_reason(struct set *s, int r)
{
	FUZZ_CHECK((r < 0) == (s->opts.error[0] != '\0'));
	s->opts.error[0] = '\0';
}

static void check_backend(struct set *s, const struct backend_ops *backend)
{
	const struct part *part = &s->config.part;
	const int r = load_check(&s->opts, &s->config, backend);
	struct load_config share;

	failed_with_reason(s, r);
	if (r < 0)
		return;
	part_share(&s->config, &share);
	FUZZ_CHECK(share.connections > 0 && share.connections <= s->config.connections);
	for (uint64_t n = 0; n < 3; n++)
		(void)part_place(&s->config, part->number - 1 + n * part->count);
	(void)part_requested(&s->config, 0, 3);
	failed_with_reason(s, load_check_unix(&s->opts, &s->config, 1, 1));
	failed_with_reason(s, load_check_unix(&s->opts, &s->config, 1, 2));
	failed_with_reason(s, load_check_start(&s->opts, &s->config));
}

static void check(struct set *s)
{
	const int r = part_resolve(&s->opts, &s->config.part, next_variable);

	failed_with_reason(s, r);
	if (r < 0)
		return; /* as load_check ends, which has asked the real environment */
	s->config.part.automatic = false;
	for (unsigned i = 0; backends[i]; i++)
		check_backend(s, backends[i]);
	(void)load_family(&s->config);
	for (uint64_t bit = 1; bit != 0; bit <<= 7) {
		const uint64_t size = size_draw(&s->config.size, bit * 0x9e3779b97f4a7c15u);

		FUZZ_CHECK(size >= s->config.size.min && size <= s->config.size.max);
	}
	if (s->config.source.count > 0)
		(void)srcaddr_nth(&s->config.source, UINT64_MAX);
	(void)cpu_list_nth(&s->config.cpus, 3);
}

static int load(struct set *s, const char *text, size_t len, const char *phase)
{
	static struct set again;
	int r;

	begin(s);
	s->opts.phase = phase;
	FUZZ_CHECK(opt_read_defaults(&s->opts) == 0);
	r = fuzz_read_file(&s->opts, text, len);
	if (r == 0 && !phase) {
		begin(&again);
		fuzz_print_back(&s->opts, &again.opts);
		backend_choice_free(&again.backend);
	}
	if (r == 0)
		check(s);
	backend_choice_free(&s->backend);
	return r;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct set s;

	fuzz_isolate();
	begin(&s);
	fuzz_words(*argc, *argv, &s.opts);
	backend_choice_free(&s.backend);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct set whole, phase;
	struct fuzz_input in = { data, data + len };
	size_t size;
	char *text = fuzz_part(&in, &size), *lines = fuzz_part(&in, NULL);

	variables = lines;
	if (load(&whole, text, size, NULL) == 0)
		for (unsigned i = 0; i < whole.opts.phase_count && i < 3; i++)
			(void)load(&phase, text, size, whole.opts.phases[i]);
	free(text);
	free(lines);
	return 0;
}
