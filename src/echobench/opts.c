/* SPDX-License-Identifier: MIT
 * opts: the rows of echobench's options, and the types that only echobench has.
 */
#include "opts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/cpu_list.h"
#include "echo/base/opt.h"
#include "echo/base/progress_line.h"

const char *const bench_mode_names[] = { "closed", "open", "churn", "stream", NULL };
static const char *const output_names[] = { "text", "json", "quiet", NULL };

/* Takes the next word of a list off @text into @word. Returns what follows; NULL: that was all. */
static const char *next_word(const char *text, char word[OPT_TEXT_MAX])
{
	size_t len = strcspn(text, ",");

	snprintf(word, OPT_TEXT_MAX, "%.*s", (int)len, text);
	return text[len] ? text + len + 1 : NULL;
}

/* A row as @o for one of its values. */
static struct opt one_of(const struct opt *o, const struct opt_type *type)
{
	return (struct opt){ .type = type, .min = o->min, .max = o->max, .size = sizeof(uint64_t) };
}

static int list_parse(struct opt one, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct number_list l = { .count = 0 };
	char word[OPT_TEXT_MAX];

	while (text) {
		int r = 0;

		text = next_word(text, word);
		if (l.count == LIST_MAX) {
			snprintf(why, OPT_ERROR_MAX, "has more than %d values", LIST_MAX);
			return -ERANGE;
		}
		r = one.type->parse(&one, word + strspn(word, " "), &l.at[l.count], why);
		if (r < 0)
			return r;
		l.count++;
	}
	memcpy(field, &l, sizeof(l));
	return 0;
}

static bool list_print(struct opt one, const void *field, unsigned nth, char text[OPT_TEXT_MAX])
{
	const struct number_list *l = field;
	char word[OPT_TEXT_MAX];
	size_t n = 0;

	for (unsigned i = 0; i < l->count && n < OPT_TEXT_MAX; i++) {
		one.type->print(&one, &l->at[i], 0, word);
		n += (size_t)snprintf(text + n, OPT_TEXT_MAX - n, "%s%s", i ? "," : "", word);
	}
	return nth == 0;
}

static int counts_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	return list_parse(one_of(o, &opt_uint), text, field, why);
}

static bool counts_print(const struct opt *o, const void *field, unsigned nth,
			 char text[OPT_TEXT_MAX])
{
	return list_print(one_of(o, &opt_uint), field, nth, text);
}

static int sizes_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	return list_parse(one_of(o, &opt_size), text, field, why);
}

static bool sizes_print(const struct opt *o, const void *field, unsigned nth,
			char text[OPT_TEXT_MAX])
{
	return list_print(one_of(o, &opt_size), field, nth, text);
}

static const struct opt_type opt_counts = { "N[,N...]", counts_parse, counts_print },
			     opt_sizes = { "N[,N...]", sizes_parse, sizes_print };

static int modes_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct mode_list l = { .count = 0 };
	char word[OPT_TEXT_MAX];

	(void)o;
	while (text) {
		unsigned m = 0;

		text = next_word(text, word);
		while (bench_mode_names[m] &&
		       strcmp(bench_mode_names[m], word + strspn(word, " ")) != 0)
			m++;
		if (!bench_mode_names[m] || l.count == MODE_COUNT) {
			snprintf(why, OPT_ERROR_MAX,
				 "must be some of closed, open, churn, stream, with commas "
				 "between");
			return -EINVAL;
		}
		l.at[l.count++] = (enum load_mode)m;
	}
	memcpy(field, &l, sizeof(l));
	return 0;
}

static bool modes_print(const struct opt *o, const void *field, unsigned nth,
			char text[OPT_TEXT_MAX])
{
	const struct mode_list *l = field;
	size_t n = 0;

	(void)o;
	for (unsigned i = 0; i < l->count; i++)
		n += (size_t)snprintf(text + n, OPT_TEXT_MAX - n, "%s%s", i ? "," : "",
				      bench_mode_names[l->at[i]]);
	return nth == 0;
}

static const struct opt_type opt_modes = { "MODE[,MODE...]", modes_parse, modes_print };

static int commands_parse(const struct opt *o, const char *text, void *field,
			  char why[OPT_ERROR_MAX])
{
	struct command_list *l = field;
	struct opt one = *o;

	if (l->count == SERVERS_MAX) {
		snprintf(why, OPT_ERROR_MAX, "more than %d servers", SERVERS_MAX);
		return -ERANGE;
	}
	one.size = OPT_TEXT_MAX;
	return opt_string.parse(&one, text, l->at[l->count], why) < 0 ? -EINVAL : (l->count++, 0);
}

static bool commands_print(const struct opt *o, const void *field, unsigned nth,
			   char text[OPT_TEXT_MAX])
{
	const struct command_list *l = field;

	(void)o;
	if (nth >= l->count)
		return false;
	snprintf(text, OPT_TEXT_MAX, "%s", l->at[nth]);
	return true;
}

static const struct opt_type opt_commands = { "CMD", commands_parse, commands_print };

static int cpus_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	struct cpus c = { .automatic = strcmp(text, "auto") == 0 };

	(void)o;
	if (!c.automatic && cpu_list_read(text, &c.set) < 0) {
		snprintf(why, OPT_ERROR_MAX, "must be auto, or CPUs and ranges such as 0-3,8");
		return -EINVAL;
	}
	snprintf(c.text, sizeof(c.text), "%s", text);
	memcpy(field, &c, sizeof(c));
	return 0;
}

static bool cpus_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	const struct cpus *c = field;

	(void)o;
	snprintf(text, OPT_TEXT_MAX, "%s", c->text);
	return nth == 0;
}

static const struct opt_type opt_cpu_text = { "CPUS", cpus_parse, cpus_print };

const struct opt bench_opts[] = {
	OPT_STRING(bench_config, a, "epoll",
		   "side A: a backend of echod, a known server (echobench list), or a command"),
	OPT_STRING(bench_config, b, "io_uring", "side B; compared with A in every cell"),
	OPT(bench_config, server, opt_commands, NULL,
	    "any echo server as side B ({addr}, {host}, {port} are replaced); may be repeated; "
	    "alone, it takes the place of b",
	    .repeats = true),
	OPT_PATH(
		bench_config, servers_dir, NULL,
		"where NAME.conf of known servers are; without it, those that came with echobench"),
	OPT_STRING(bench_config, client_a, NULL,
		   "a command that loads side A instead of echoload (see Commands below)"),
	OPT_STRING(bench_config, client_b, NULL, "one that loads side B"),
	OPT_STRING(bench_config, compare, "auto",
		   "what decides: rate, cpu (of the server), client_cpu, or a key of the client's "
		   "JSON, of which less is better, as .latency_ns.p99; auto: the rate where the "
		   "server sets it, else cpu"),
	OPT(bench_config, connections, opt_counts, "64", "connections; a list makes more cells",
	    .min = 1, .max = 1000000, .letter = 'c'),
	OPT(bench_config, size, opt_sizes, "64", "bytes of a message; a list makes more cells",
	    .min = 1, .max = 1 << 30, .letter = 's'),
	OPT(bench_config, pipeline, opt_counts, "1",
	    "messages in flight on each connection; a list makes more cells", .min = 1,
	    .max = 65536, .letter = 'p'),
	OPT(bench_config, mode, opt_modes, "closed",
	    "closed, open (at a rate), churn (new connections), stream (1 MiB in flight)",
	    .names = bench_mode_names),
	OPT_UINT(bench_config, rate, "10k", 1, 1000000000ll,
		 "open: messages each second, of all connections"),
	OPT_UINT(bench_config, churn, "1", 1, 1000000000ll,
		 "churn: messages before a connection is closed and another opened"),
	OPT(bench_config, server_cpus, opt_cpu_text, "auto",
	    "pin the servers here; auto: half of the CPUs"),
	OPT(bench_config, client_cpus, opt_cpu_text, "auto",
	    "pin the client here; auto: the other half"),
	OPT_UINT(bench_config, threads, "0", 0, 1024,
		 "threads of the client; 0: one for each of its CPUs", .letter = 't'),
	OPT_STRING(bench_config, client_backend, "epoll", "how echoload does its I/O"),
	OPT_STRING(bench_config, congestion, "default",
		   "congestion control of both ends, as reno or cubic"),
	OPT_TIME(bench_config, round, "10ms", MSEC(1), SEC(600),
		 "how long a server is loaded until it is the next one's turn; longer with many "
		 "connections",
		 .letter = 'd'),
	OPT_UINT(bench_config, rounds, "16", 1, 1000,
		 "rounds of each server in a block; fewer where they are longer"),
	OPT_TIME(bench_config, warmup, "20ms", 0, SEC(60),
		 "load of each server before it is measured", .letter = 'w'),
	OPT(bench_config, precision, opt_double, "1.5",
	    "go on until the interval of the ratio is so narrow: +- percent", .min = 0, .max = 100),
	OPT(bench_config, confidence, opt_double, "99",
	    "percent, for all cells of the run together", .min = 50, .max = 100),
	OPT_TIME(bench_config, limit, "50s", SEC(1), SEC(86400), "give up on a cell after this"),
	OPT_UINT(bench_config, min_blocks, "0", 0, 200,
		 "blocks of four servers for a cell at least; 0: what the confidence needs"),
	OPT_UINT(bench_config, max_blocks, "200", 2, 200, "blocks at most"),
	OPT_UINT(bench_config, seed, "1", 0, INT64_MAX,
		 "of the order of rounds, and the bootstrap"),
	OPT_ENUM(bench_config, output, "text", output_names, "what is printed on standard output",
		 .letter = 'o'),
	OPT_ENUM(bench_config, progress, "auto", progress_line_modes, PROGRESS_LINE_HELP),
	OPT_PATH(bench_config, json, NULL, "write the result to this file too, as JSON"),
	OPT_PATH(bench_config, plot, NULL,
		 "write NAME-ratio and NAME-load as .svg and .png (needs gnuplot)"),
	OPT_PATH(bench_config, baseline, NULL,
		 "compare with this kept result; a regression is exit code 1"),
	OPT_FLAG(bench_config, recommend, "say which lines belong into the configuration"),
	PROGRAM_ROWS(bench_config),
	OPT_END,
};

const char bench_after[] =
	"Examples:\n"
	"  echobench run --a epoll --b io_uring -c 1,64,1000 -s 64,16Ki\n"
	"  echobench run configs/bench/quick.conf --json result.json --recommend\n"
	"  echobench list\n"
	"  echobench run --a libev --b epoll --compare cpu\n"
	"  echobench run --a epoll \\\n"
	"      --server 'socat TCP-LISTEN:{port},fork,reuseaddr EXEC:cat'\n"
	"  echobench run --b epoll --compare client_cpu --client-b \\\n"
	"      'echoload --gate {gate} -c {connections} --backend io_uring {addr}'\n"
	"\n"
	"A block is two servers of A and two of B, started for it and loaded in turn, a\n"
	"round of some milliseconds each; A against A within the blocks shows the noise.\n"
	"A cell ends when its interval is as narrow as --precision, wherever it lies, or\n"
	"at its --limit. docs/benchmarking.md says why that can be believed. Keys of a\n"
	"configuration stand in the section [bench].\n"
	"\n"
	"Known servers:\n"
	"list names other people's echo servers, with whether each can be started here;\n"
	"show NAME says where one is from, how it is built and started, and what it\n"
	"leaves out, which is what it need not pay for. Nothing is downloaded or built.\n"
	"\n"
	"Commands:\n"
	"A shell runs them. In a server's, {addr}, or {host} and {port}, say where to\n"
	"listen, and {workers} with how many CPUs; one without an address prints\n"
	"'listening' with its own. In a client's they say where to connect; one without\n"
	"them needs no server, and its own CPU time counts as that. {connections}, {size}\n"
	"and {pipeline} are the cell's, {threads}, {congestion} and {client_backend}\n"
	"those options; what is set, a client must be told by its word. One with {gate},\n"
	"the number of a descriptor, runs on between rounds and sends while it is let, as\n"
	"echoload does with --gate. One without it is run whole in each round, for as\n"
	"long as {seconds} says (--round), and what it prints last is JSON with the\n"
	"number of \"messages\".\n"
	"\n"
	"Exit codes: 0 every cell has an answer, 1 a regression, 2 usage or\n"
	"configuration, 4 environment, 5 some cell could not be measured or is too noisy\n"
	"to say, 129, 130 and 143 interrupted (SIGHUP, SIGINT, SIGTERM); the result so\n"
	"far is printed then too.\n";

/* Gives @c the CPUs of @from number @first to @last - 1. */
static void cpus_take(struct cpus *c, const cpu_set_t *from, unsigned first, unsigned last)
{
	unsigned seen = 0;
	size_t n = 0;

	CPU_ZERO(&c->set);
	for (unsigned i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, from))
			continue;
		if (seen >= first && seen < last && n < sizeof(c->text) - 8) {
			CPU_SET(i, &c->set);
			n += (size_t)snprintf(c->text + n, sizeof(c->text) - n, "%s%u",
					      n ? "," : "", i);
		}
		seen++;
	}
}

static int cpus_check(struct opt_set *s, const char *key, const struct cpus *c,
		      const cpu_set_t *mine)
{
	cpu_set_t usable;

	CPU_AND(&usable, &c->set, mine);
	if (CPU_COUNT(&usable) == 0)
		return opt_error_at(s, key, "this process may use none of them");
	return 0;
}

int bench_check(struct opt_set *s, struct bench_config *c)
{
	cpu_set_t mine, left;
	unsigned count, half;

	CPU_ZERO(&mine);
	if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
		CPU_SET(0, &mine);
	left = mine;
	for (unsigned i = 0; i < CPU_SETSIZE; i++) {
		if ((!c->server_cpus.automatic && CPU_ISSET(i, &c->server_cpus.set)) ||
		    (!c->client_cpus.automatic && CPU_ISSET(i, &c->client_cpus.set)))
			CPU_CLR(i, &left);
	}
	if (CPU_COUNT(&left) == 0)
		left = mine; /* they have to share */
	count = (unsigned)CPU_COUNT(&left);
	half = c->server_cpus.automatic && c->client_cpus.automatic ? (count + 1) / 2 : count;
	if (c->server_cpus.automatic)
		cpus_take(&c->server_cpus, &left, 0, half);
	if (c->client_cpus.automatic)
		cpus_take(&c->client_cpus, &left, half == count ? 0 : half, count);
	if (cpus_check(s, "server_cpus", &c->server_cpus, &mine) < 0 ||
	    cpus_check(s, "client_cpus", &c->client_cpus, &mine) < 0)
		return -EINVAL;
	if (c->confidence >= 100)
		return opt_error_at(s, "confidence", "nothing is certain: must be below 100");
	if (c->precision <= 0)
		return opt_error_at(s, "precision", "must be above 0");
	if (c->min_blocks > c->max_blocks)
		return opt_error_at(s, "min_blocks", "is more than max_blocks");
	return 0;
}
