/* SPDX-License-Identifier: MIT
 * duel: two servers, both running, pinned as their commands say, and one client that speaks with
 * one and then the other, a slice of some milliseconds each. What a machine does to one it does to
 * the other as well: where the speed of a CPU wanders within seconds, as in virtual machines,
 * intervals are several times narrower than pair's in the same time. The CPU clock of a server's
 * process is read before a slice and when its last echo is there; a server without work uses none.
 *
 * A block is a start of both servers and the slices that follow; its value is the median of the
 * ratios within pairs of slices. The interval is over blocks: that one start of a program is faster
 * than the next is part of it.
 */
#include "bare_ring_client.h"
#include "echo/base.h"
#include "echo/child.h"
#include "echo/rng.h"
#include "pair_stats.h"

enum {
	MAX_PAIRS = 4096, /* of slices in a block */
	WARM_PAIRS = 3,   /* of them, at the beginning, that nobody judges */
	EXIT_INCONCLUSIVE = 5,
};

enum { CPU, BUSY, RATE, KEYS };

struct slice {
	double key[KEYS];
};

struct duel {
	struct bare_options o;
	const char *command[2], *json;
	unsigned slice_us, pairs, blocks, max_blocks, done;
	double width;
	uint64_t seed;
	cpu_set_t cpus; /* where servers may run: as we could, before we were pinned */
	struct child server[2];
	struct bare_client cl[2];
	struct ring ring;
	double log_ratio[KEYS][MAX_PAIRS], value[2][KEYS][MAX_PAIRS];
	struct key keys[KEYS];
};

#define PATIENCE_NS SEC(3)

static struct duel duel;

static void end_servers(void)
{
	for (int s = 0; s < 2; s++)
		child_stop(&duel.server[s], PATIENCE_NS);
}

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "duel: ");
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(BARE_EXIT_ENVIRONMENT); /* atexit ends the servers */
}

static void start_server(struct duel *d, int s)
{
	char text[80];
	struct bare_options *o = &d->o;
	int r = child_start(&d->server[s], d->command[s], &d->cpus);

	for (int i = 0; r == 0 && i < 5000; i++) {
		if (child_address(d->server[s].out, text, sizeof(text)) ||
		    child_address(d->server[s].err, text, sizeof(text))) {
			bare_address(o, text);
			bare_client_open(&d->cl[s], o); /* connects */
			return;
		}
		r = child_wait(&d->server[s], MSEC(1)) == -ETIME ? 0 : -1;
	}
	if (child_stop_signal() != 0)
		exit(128 + child_stop_signal());
	fail("no server came of: %s", d->command[s]);
}

/* Speaks with one server until the slice is over and the last echo is there. */
static void run_slice(struct duel *d, int s, struct slice *out)
{
	struct bare_client *cl = &d->cl[s];
	pid_t pid = d->server[s].pid;
	int64_t begin_ns, end_ns, cpu_ns = bare_process_cpu_ns(pid);
	double messages;

	begin_ns = bare_now_ns();
	end_ns = begin_ns + d->slice_us * 1000ll;
	cl->result = (struct bare_result){ 0 };
	cl->stopping = false;
	cl->owed = (uint64_t)d->o.conns * d->o.depth;
	for (unsigned k = 0; k < d->o.conns; k++) {
		cl->peers[k].unsent = (uint64_t)d->o.size * d->o.depth;
		ring_client_send(&d->ring, cl, &cl->peers[k], (int)(k + (unsigned)s * d->o.conns));
	}
	while (cl->owed > 0) {
		ring_client_turn(&d->ring, d->cl, d->o.spin);
		if (!cl->stopping && bare_now_ns() >= end_ns)
			cl->stopping = true;
	}
	cpu_ns = bare_process_cpu_ns(pid) - cpu_ns;
	end_ns = bare_now_ns();
	messages = (double)cl->result.messages;
	out->key[CPU] = (double)cpu_ns / messages;
	out->key[BUSY] = (double)cpu_ns / (double)(end_ns - begin_ns);
	out->key[RATE] = messages * 1e9 / (double)(end_ns - begin_ns);
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

	start_server(d, first);
	start_server(d, !first);
	if (child_wait(&d->server[0], 0) == -EINTR)
		exit(128 + child_stop_signal());
	for (int s = 0; s < 2; s++) {
		for (unsigned k = 0; k < d->o.conns; k++)
			d->cl[s].peers[k].unsent = 0; /* a slice says when to send */
	}
	ring_open(&d->ring, NULL);
	ring_client_open(&d->ring, d->cl, 2);
	for (unsigned i = 0; i < WARM_PAIRS; i++)
		run_pair(d, 0);
	for (unsigned i = 0; i < d->pairs; i++)
		run_pair(d, i);
	for (int k = 0; k < KEYS; k++) {
		for (int s = 0; s < 2; s++)
			d->keys[k].value[s][d->done] = paired_median(d->value[s][k], d->pairs);
		d->keys[k].ratio[d->done] = paired_median(d->log_ratio[k], d->pairs);
	}
	ring_close(&d->ring);
	for (int s = 0; s < 2; s++)
		bare_client_close(&d->cl[s]);
	end_servers();
	d->done++;
}

static void help(void)
{
	printf("usage: duel [OPTIONS] --server-a 'CMD' --server-b 'CMD'\n"
	       "Starts two servers, speaks with both in turn, a slice of some milliseconds each,\n"
	       "and prints B / A of their CPU time for a message, of how busy they were, and of\n"
	       "the rate. A server says 'listening' with its address.\n"
	       "  -c, -s, -p N          connections to each (64), bytes (64), messages in flight\n"
	       "                        on each connection (1)\n"
	       "  --cpu N               where the client runs\n"
	       "  --congestion NAME, --spin   as of bare_uring client\n"
	       "  --slice MILLISECONDS  (10)\n"
	       "  --pairs N             of slices in a block (40)\n"
	       "  --blocks N            at least so many starts of the servers (20)\n"
	       "  --max-blocks N        and at most, with --until-width W (60)\n"
	       "  --seed N              of the order and the interval (1)\n"
	       "  --json FILE           the result for programs\n"
	       "Exit: 0 measured, 1 a byte was wrong, 2 usage, 4 something did not run, 5 fewer\n"
	       "than 6 blocks or interval too wide, 130 interrupted.\n");
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

static void options(struct duel *d, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "server-a", 1, NULL, 'A' },    { "server-b", 1, NULL, 'B' },
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
			d->command[option - 'A'] = optarg;
		else if (option == 'j')
			d->json = optarg;
		else if (option == 'h')
			help();
		else
			bare_option(&d->o, option);
	}
	if (optind < argc)
		bare_usage("'%s': quote each command as one argument", argv[optind]);
	if (!d->command[0] || !d->command[1])
		bare_usage("say --server-a and --server-b");
	if (2 * d->o.conns > BARE_CONNS)
		bare_usage("-c: at most %d with two servers", BARE_CONNS / 2);
	if (d->width <= 0 || d->max_blocks < d->blocks)
		d->max_blocks = d->blocks;
}

int main(int argc, char **argv)
{
	struct duel *d = &duel;
	uint64_t seed;
	bool narrow = false;

	*d = (struct duel){
		.slice_us = 10000, .pairs = 40, .blocks = 20, .max_blocks = 60, .seed = 1
	};
	d->o = (struct bare_options){ .conns = 64, .size = 64, .depth = 1, .cpu = -1 };
	d->o.addr.sin_family = AF_INET;
	d->keys[CPU].label = "server_cpu_ns_per_message";
	d->keys[BUSY].label = "server_busy";
	d->keys[RATE].label = "per_second";
	options(d, argc, argv);
	d->cl[0].o = d->cl[1].o = &d->o;
	seed = d->seed;
	child_block_signals();
	if (sched_getaffinity(0, sizeof(d->cpus), &d->cpus) < 0)
		bare_die(BARE_EXIT_ENVIRONMENT, "sched_getaffinity");
	bare_pin(d->o.cpu);
	atexit(end_servers);
	while (d->done < d->max_blocks && !narrow) {
		run_block(d);
		if (d->width > 0 && d->done >= d->blocks) /* of the CPU: busy and rate follow */
			narrow = keys_judge(d->keys, 1, d->done, d->width, seed);
	}
	keys_judge(d->keys, KEYS, d->done, 0, seed);
	narrow = keys_judge(d->keys, 1, d->done, d->width, seed);
	keys_print(d->keys, KEYS, d->done);
	if (d->json &&
	    !json_write(json_pack("{s:s, s:i, s:I, s:[s, s], s:o}", "schema", "duel/1", "rounds",
				  (int)d->done, "seed", (json_int_t)seed, "servers", d->command[0],
				  d->command[1], "keys", keys_json(d->keys, KEYS, d->done)),
			d->json))
		fail("cannot write %s", d->json);
	return narrow ? 0 : EXIT_INCONCLUSIVE;
}
