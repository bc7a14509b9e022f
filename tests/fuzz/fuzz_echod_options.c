/* SPDX-License-Identifier: MIT
 * fuzz_echod_options: two configurations of echod, the second as a reload of the first. Each is
 * refused with a reason, or printed so that it reads back as the same.
 *
 * reads: src/echod/opts.c src/echod/opts_listen.c src/net/net_opt.c src/net/metrics_opt.c
 * reads: src/echod/listen/name.c
 * seeds: configs/echod.conf
 */
#include <string.h>
#include <unistd.h>

#include "echo/base/opt.h"
#include "echo/net/backend.h"
#include "echod/opts.h"
#include "lib/fuzz.h"

struct set {
	struct opt_set opts;
	struct echod_config config;
	struct backend_choice backend;
	char name[FUZZ_NAME_MAX];
};

static int load(struct set *s, const char *text, size_t len)
{
	char program[] = "echod", dash_f[] = "-f";
	char *argv[] = { program, dash_f, s->name, NULL };
	int fd, r;

	memset(s, 0, sizeof(*s));
	fd = fuzz_file(text, len, s->name);
	r = echod_load(&s->opts, &s->config, &s->backend, 3, argv);
	close(fd);
	FUZZ_CHECK((r < 0) == (s->opts.error[0] != '\0'));
	return r;
}

static void check(struct set *s)
{
	for (unsigned i = 0; backends[i]; i++) {
		s->opts.error[0] = '\0';
		FUZZ_CHECK((echod_check(&s->opts, &s->config, backends[i]) < 0) ==
			   (s->opts.error[0] != '\0'));
	}
}

static void print_back(const struct set *s)
{
	static struct set again;

	(void)load(&again, "", 0);
	fuzz_print_back(&s->opts, &again.opts);
	backend_choice_free(&again.backend);
}

static void see_change(void *arg, const struct opt_change *c)
{
	(void)arg;
	FUZZ_CHECK(c->name[0] && c->place[0]);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct set s;

	fuzz_isolate();
	(void)load(&s, "", 0);
	fuzz_words(*argc, *argv, &s.opts);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct set now, next;
	struct fuzz_input in = { data, data + len };
	size_t size[2];
	char *text[] = { fuzz_part(&in, &size[0]), fuzz_part(&in, &size[1]) };
	int r = load(&now, text[0], size[0]);

	if (r >= 0) {
		check(&now);
		print_back(&now);
		r = load(&next, text[1], size[1]);
		if (r >= 0) {
			opt_merge(&next.opts, &now.opts, see_change, NULL);
			print_back(&next);
			opt_take(&now.opts, &next.opts);
			print_back(&now);
		}
		backend_choice_free(&next.backend);
	}
	backend_choice_free(&now.backend);
	free(text[0]);
	free(text[1]);
	return 0;
}
