/* SPDX-License-Identifier: MIT
 * duel: two servers with a client each, or one server with two clients, all running, pinned as
 * their commands say, of which one pair works and then the other, a slice of some milliseconds
 * each. What a machine does to one it does to the other as well: where the speed of a CPU wanders
 * within seconds, as in virtual machines, intervals are several times narrower than pair's in the
 * same time. The CPU clocks of server and client are read before a slice and when its last echo is
 * there; who has no work uses none.
 *
 * bench/floor is server and client in one: it takes a client's place, without a server.
 *
 * A block is a start of all of them and the slices that follow; its value is the median of the
 * ratios within pairs of slices. The interval is over blocks: that one start of a program is faster
 * than the next is part of it.
 */
#include <limits.h>

#include "bare/bare.h"
#include "echo/base/base.h"
#include "echo/base/rng.h"
#include "echo/lab/child.h"
#include "echo/lab/lane.h"
#include "pair_stats.h"

enum {
	MAX_PAIRS = 4096, /* of slices in a block */
	WARM_PAIRS = 3,   /* of them, at the beginning, that nobody judges */
	EXIT_INCONCLUSIVE = 5,
};

enum { SERVER_CPU, CLIENT_CPU, SERVER_BUSY, CLIENT_BUSY, RATE, KEYS };

struct slice {
	double key[KEYS];
};

struct duel {
	struct bare_options o;
	const char *server_command[2], *client_command[2], *json, *of;
	unsigned slice_us, pairs, blocks, max_blocks, done, deciding;
	double width;
	uint64_t seed;
	struct child server[2]; /* one of them, if both clients have the same */
	char address[2][80];
	struct lane lane[2];
	double log_ratio[KEYS][MAX_PAIRS], value[2][KEYS][MAX_PAIRS];
	struct key keys[KEYS];
};

#define PATIENCE_NS SEC(20)

static struct duel duel;

static void end_all(void)
{
	for (int s = 0; s < 2; s++)
		lane_stop(&duel.lane[s]);
	for (int s = 0; s < 2; s++)
		child_stop(&duel.server[s], SEC(3));
}

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "duel: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(BARE_EXIT_ENVIRONMENT); /* atexit ends all */
}

/* A signal ends us as usual: all that we have started is ended then. */
static void exit_if_stopped(void)
{
	if (child_stop_signal() != 0)
		exit(128 + child_stop_signal());
}

static void start_server(struct duel *d, int s)
{
	int r = child_start(&d->server[s], d->server_command[s], NULL);

	for (int i = 0; r == 0 && i < 5000; i++) {
		if (child_address(d->server[s].out, d->address[s], sizeof(d->address[s])) ||
		    child_address(d->server[s].err, d->address[s], sizeof(d->address[s])))
			return;
		r = child_wait(&d->server[s], MSEC(1)) == -ETIME ? 0 : -1;
	}
	exit_if_stopped();
	fail("no server came of: %s", d->server_command[s]);
}

/* Whose slices it serves; -1: that client needs no server. */
static int server_of(const struct duel *d, int s)
{
	if (!strstr(d->client_command[s], "{addr}"))
		return -1;
	return d->server_command[s] ? s : !s;
}

/* Whose CPU time is the server's. */
static pid_t server_pid(const struct duel *d, int s)
{
	int server = server_of(d, s);

	return server < 0 ? d->lane[s].client.pid : d->server[server].pid;
}

static __attribute__((noreturn)) void client_failed(const struct duel *d, int s, int r)
{
	char *said;

	exit_if_stopped();
	lane_end(&duel.lane[s], SEC(1));
	said = child_text(d->lane[s].client.err);
	fail("%s: %s: %s", d->client_command[s],
	     r == -ETIME    ? "no answer in time"
	     : r == -EPROTO ? "not an answer"
			    : "it ended",
	     said ? said : "");
}

static void start_client(struct duel *d, int s)
{
	int server = server_of(d, s), r;
	char *command =
		child_replace(d->client_command[s], "{addr}", server < 0 ? "" : d->address[server]);

	r = command ? lane_start(&d->lane[s], command, NULL) : -ENOMEM;

	free(command);
	if (r == 0)
		r = lane_ready(&d->lane[s], PATIENCE_NS);
	if (r < 0)
		client_failed(d, s, r);
}

/* Lets one work until the slice is over and the last echo is there. */
static void run_slice(struct duel *d, int s, struct slice *out)
{
	pid_t server = server_pid(d, s), client = d->lane[s].client.pid;
	int64_t server_ns = bare_process_cpu_ns(server), client_ns = bare_process_cpu_ns(client);
	struct lane_slice a;
	int r = lane_slice(&d->lane[s], d->slice_us * 1000ll, PATIENCE_NS, &a);

	if (r < 0)
		client_failed(d, s, r);
	if (a.messages == 0)
		fail("%s: nothing came back in a slice", d->client_command[s]);
	server_ns = bare_process_cpu_ns(server) - server_ns;
	client_ns = bare_process_cpu_ns(client) - client_ns;
	out->key[SERVER_CPU] = (double)server_ns / (double)a.messages;
	out->key[CLIENT_CPU] = (double)client_ns / (double)a.messages;
	out->key[SERVER_BUSY] = (double)server_ns / (double)a.took_ns;
	out->key[CLIENT_BUSY] = (double)client_ns / (double)a.took_ns;
	out->key[RATE] = (double)a.messages * 1e9 / (double)a.took_ns;
}

static void run_pair(struct duel *d, unsigned i)
{
	int first = (int)rng_below(&d->seed, 2);
	struct slice slice[2];

	run_slice(d, first, &slice[first]);
	run_slice(d, !first, &slice[!first]);
	for (int k = 0; k < KEYS; k++) {
		for (int s = 0; s < 2; s++)
			d->value[s][k][i] = slice[s].key[k];
		d->log_ratio[k][i] = log(slice[1].key[k] / slice[0].key[k]);
	}
}

static void run_block(struct duel *d)
{
	int first = (int)rng_below(&d->seed, 2);

	for (int i = 0; i < 2; i++) {
		if (d->server_command[first ^ i])
			start_server(d, first ^ i);
	}
	start_client(d, first);
	start_client(d, !first);
	for (unsigned i = 0; i < WARM_PAIRS; i++)
		run_pair(d, 0);
	for (unsigned i = 0; i < d->pairs; i++)
		run_pair(d, i);
	for (int k = 0; k < KEYS; k++) {
		for (int s = 0; s < 2; s++)
			d->keys[k].value[s][d->done] = paired_median(d->value[s][k], d->pairs);
		d->keys[k].ratio[d->done] = paired_median(d->log_ratio[k], d->pairs);
	}
	end_all();
	d->done++;
}

static void help(void)
{
	printf("usage: duel [OPTIONS] --server-a 'CMD' [--server-b 'CMD']\n"
	       "            [--client-a 'CMD' --client-b 'CMD' | --client 'CMD']\n"
	       "Starts two servers with a client each, or one server with two clients, lets the\n"
	       "pairs work in turn, a slice of some milliseconds each, and prints B / A of the "
	       "CPU\n"
	       "time that a message costs server and client, of how busy they were, and of the\n"
	       "rate. A server says 'listening' with its address; of a client's command {addr} "
	       "and\n"
	       "{gate} are replaced: 'echoload {addr} --gate {gate}', 'bare_epoll client ...'.\n"
	       "One without {addr} is its own server: 'floor --gate {gate}'.\n"
	       "Without a client's command it is bare_uring with these options:\n"
	       "  -c, -s, -p N          connections (64), bytes (64), messages in flight on each\n"
	       "                        connection (1)\n"
	       "  --cpu N, --congestion NAME, --spin\n"
	       "And of the duel:\n"
	       "  --slice MILLISECONDS  (10)\n"
	       "  --pairs N             of slices in a block (40)\n"
	       "  --blocks N            at least so many starts of the programs (20)\n"
	       "  --max-blocks N        and at most, with --until-width W (60)\n"
	       "  --of NAME             the key whose width counts (server_cpu_ns_per_message)\n"
	       "  --seed N              of the order and the interval (1)\n"
	       "  --json FILE           the result for programs\n"
	       "Exit: 0 measured, 2 usage, 4 something did not run, 5 fewer than 6 blocks or\n"
	       "interval too wide, 130 interrupted.\n");
	exit(0);
}

static bool number_option(struct duel *d, int option)
{
	switch (option) {
	case 'l':
		d->slice_us = (unsigned)(bare_number(optarg, "--slice", 0.1, 10000) * 1000);
		return true;
	case 'n':
		d->pairs = bare_count(optarg, "--pairs", 1, MAX_PAIRS);
		return true;
	case 'b':
		d->blocks = bare_count(optarg, "--blocks", 1, MAX_ROUNDS);
		return true;
	case 'm':
		d->max_blocks = bare_count(optarg, "--max-blocks", 1, MAX_ROUNDS);
		return true;
	case 'W':
		d->width = bare_number(optarg, "--until-width", 0.0001, 1);
		return true;
	case 'e':
		d->seed = bare_count(optarg, "--seed", 1, UINT32_MAX);
		return true;
	default:
		return false;
	}
}

/* The client that all comparisons of servers have: bare_uring. */
static const char *own_client(const struct bare_options *o)
{
	static char command[1024];
	char path[512], cpu[32] = "", congestion[64] = "";
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	path[n > 0 ? n : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash)
		*slash = '\0';
	if (o->cpu >= 0)
		snprintf(cpu, sizeof(cpu), " --cpu %d", o->cpu);
	if (o->congestion)
		snprintf(congestion, sizeof(congestion), " --congestion %.30s", o->congestion);
	snprintf(command, sizeof(command),
		 "%s/bare_uring client {addr} --gate {gate} -c %u -s %u -p %u%s%s%s", path,
		 o->conns, o->size, o->depth, cpu, congestion, o->spin ? " --spin" : "");
	return command;
}

static void check(struct duel *d)
{
	for (int i = 0; i < 2; i++) {
		if (!d->server_command[i] && !d->client_command[i])
			bare_usage("say --server-a and --server-b, or one server and two clients");
	}
	for (int s = 0; s < 2; s++) {
		const char *c = d->client_command[s];

		if (!c)
			d->client_command[s] = own_client(&d->o);
		else if (!strstr(c, "{gate}"))
			bare_usage("'%s': a client's command needs {gate}", c);
		if (strstr(d->client_command[s], "{addr}") && !d->server_command[0] &&
		    !d->server_command[1])
			bare_usage("'%s': there is no server for it", c);
	}
	if (d->width <= 0 || d->max_blocks < d->blocks)
		d->max_blocks = d->blocks;
	d->deciding = KEYS;
	for (unsigned k = 0; k < KEYS; k++) {
		if (strcmp(d->keys[k].label, d->of) == 0)
			d->deciding = k;
	}
	if (d->deciding == KEYS)
		bare_usage("--of: there is no key '%s'", d->of);
}

static void options(struct duel *d, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "server-a", 1, NULL, 'A' },    { "server-b", 1, NULL, 'B' },
		{ "client-a", 1, NULL, 'D' },    { "client-b", 1, NULL, 'E' },
		{ "client", 1, NULL, 'F' },      { "of", 1, NULL, 'o' },
		{ "slice", 1, NULL, 'l' },       { "pairs", 1, NULL, 'n' },
		{ "blocks", 1, NULL, 'b' },      { "max-blocks", 1, NULL, 'm' },
		{ "until-width", 1, NULL, 'W' }, { "seed", 1, NULL, 'e' },
		{ "json", 1, NULL, 'j' },        { "cpu", 1, NULL, 'C' },
		{ "congestion", 1, NULL, 'G' },  { "spin", 0, NULL, 'S' },
		{ "help", 0, NULL, 'h' },        { NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:s:p:h", longs, NULL)) != -1) {
		if (number_option(d, option))
			continue;
		if (option == 'A' || option == 'B')
			d->server_command[option - 'A'] = optarg;
		else if (option == 'D' || option == 'E')
			d->client_command[option - 'D'] = optarg;
		else if (option == 'F')
			d->client_command[0] = d->client_command[1] = optarg;
		else if (option == 'o')
			d->of = optarg;
		else if (option == 'j')
			d->json = optarg;
		else if (option == 'h')
			help();
		else
			bare_option(&d->o, option);
	}
	if (optind < argc)
		bare_usage("'%s': quote each command as one argument", argv[optind]);
	check(d);
}

static json_t *commands(const char *const *command)
{
	return json_pack("[s?, s?]", command[0], command[1]);
}

static void keep(const struct duel *d, uint64_t seed)
{
	json_t *all = json_pack("{s:s, s:i, s:I, s:o, s:o, s:o}", "schema", "duel/1", "rounds",
				(int)d->done, "seed", (json_int_t)seed, "servers",
				commands(d->server_command), "clients", commands(d->client_command),
				"keys", keys_json(d->keys, KEYS, d->done));

	if (!json_write(all, d->json))
		fail("cannot write %s", d->json);
}

int main(int argc, char **argv)
{
	static const char *const labels[KEYS] = { "server_cpu_ns_per_message",
						  "client_cpu_ns_per_message", "server_busy",
						  "client_busy", "per_second" };
	struct duel *d = &duel;
	struct key *deciding;
	uint64_t seed;
	bool narrow = false;

	*d = (struct duel){ .slice_us = 10000,
			    .pairs = 40,
			    .blocks = 20,
			    .max_blocks = 60,
			    .seed = 1,
			    .of = labels[SERVER_CPU] };
	d->o = (struct bare_options){ .conns = 64, .size = 64, .depth = 1, .cpu = -1 };
	for (unsigned k = 0; k < KEYS; k++)
		d->keys[k].label = labels[k];
	options(d, argc, argv);
	seed = d->seed;
	deciding = &d->keys[d->deciding];
	child_block_signals();
	atexit(end_all);
	while (d->done < d->max_blocks && !narrow) {
		run_block(d);
		if (d->width > 0 && d->done >= d->blocks)
			narrow = keys_judge(deciding, 1, d->done, d->width, seed);
	}
	keys_judge(d->keys, KEYS, d->done, 0, seed);
	narrow = keys_judge(deciding, 1, d->done, d->width, seed);
	keys_print(d->keys, KEYS, d->done);
	if (d->json)
		keep(d, seed);
	return narrow ? 0 : EXIT_INCONCLUSIVE;
}
