/* SPDX-License-Identifier: MIT
 * fuzz_server: the client's view of a server that may do anything: right and wrong bytes, in any
 * pieces, before they were asked for; ends, resets and silence at any moment. The load role runs on
 * a backend and a clock that the input drives. Whatever came, the books of the run balance.
 *
 * reads: src/echoload/engine/load.c src/echoload/engine/sending.c src/echoload/engine/ending.c
 * reads: src/echoload/engine/payload.c src/echoload/engine/seat.c
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"
#include "echo/base/clock.h"
#include "echo/net/backend.h"
#include "echoload/engine/load_conn.h"
#include "lib/fuzz.h"

enum { CONNECTIONS = 3, SLOTS = 8, STEPS_MAX = 400, BYTES_MAX = 1 << 16, SURPRISE = 8 };

/* ---- the clock ---- */

static int64_t now_ns;

int64_t clock_now_ns(void)
{
	return now_ns;
}

int64_t clock_unix_ns(void)
{
	return now_ns;
}

int64_t clock_thread_cpu_ns(void)
{
	return 0;
}

int64_t clock_thread_wait_ns(void)
{
	return -1;
}

void clock_sleep_until(int64_t at_ns)
{
	now_ns = at_ns > now_ns ? at_ns : now_ns;
}

/* ---- the backend: it does what the input says next ---- */

static struct fuzz_input in;
static uint64_t gone, arrived, surplus; /* bytes, as the books must have them */

static int fuzzed_init(struct worker *w)
{
	(void)w;
	return 0;
}

static void fuzzed_fini(struct worker *w)
{
	(void)w;
}

static int fuzzed_dial(struct conn *c)
{
	(void)c;
	return 0;
}

/* The socket takes a part of the span: of 0, so far nothing. Returns whether all has gone. */
static bool take_span(struct conn *c)
{
	const uint8_t part = fuzz_byte(&in);
	const size_t n = c->span_len * part / UINT8_MAX;

	gone += n;
	c->sent += n;
	c->span += n;
	c->span_len -= n;
	return c->span_len == 0;
}

static void fuzzed_send(struct conn *c)
{
	(void)take_span(c);
}

static void fuzzed_shutdown(struct conn *c)
{
	conn_fin_sent(c);
}

static void fuzzed_close(struct conn *c)
{
	(void)c;
}

static const struct backend_ops fuzzed = {
	.name = "fuzzed",
	.caps = BACKEND_CONNECT,
	.state_size = 1,
	.init = fuzzed_init,
	.fini = fuzzed_fini,
	.dial = fuzzed_dial,
	.send = fuzzed_send,
	.shutdown = fuzzed_shutdown,
	.close = fuzzed_close,
};

/* ---- the run ---- */

static struct load_config config;
static struct net_config net;
static struct role role;
static struct load_run run;
static struct load load;
static struct worker worker;
static _Atomic uint32_t conns;

static struct addr server; /* a unix socket: to dial it is to be connected */
static int listener;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sockaddr_un *at = (void *)&server.ss;

	(void)argc;
	(void)argv;
	at->sun_family = AF_UNIX;
	server.len = sizeof(*at);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	FUZZ_CHECK(bind(listener, (void *)at, sizeof(at->sun_family)) == 0);
	FUZZ_CHECK(getsockname(listener, (void *)at, &server.len) == 0);
	FUZZ_CHECK(listen(listener, 4096) == 0);
	FUZZ_CHECK(payload_init(&run.payload, 1) == 0);
	return 0;
}

static void configure(void)
{
	const uint8_t bits = fuzz_byte(&in);

	config = (struct load_config){
		.connections = 1 + bits % CONNECTIONS,
		.idle = bits >> 7,
		.pipeline = 1 + fuzz_byte(&in) % 8u,
		.messages = fuzz_byte(&in),
		.churn = bits & 4 ? 1 + fuzz_byte(&in) % 4u : 0,
		.close = bits & 8 ? CLOSE_RST : CLOSE_FIN,
		.verify = !(bits & 16),
		.rate = bits & 32 ? 1000 : 0,
		.arrivals = bits & 64 ? ARRIVALS_POISSON : ARRIVALS_CONSTANT,
		.timeout = SEC(1),
		.connect_timeout = MSEC(500),
		.connect_rate = fuzz_byte(&in),
		.reconnect = { fuzz_byte(&in) % 3u, MSEC(1), MSEC(64) },
		.stall = MSEC(100),
		.interval = MSEC(50),
		.grace = MSEC(100),
		.seed = 1,
		.part = { .number = 1, .count = 1 },
	};
	config.size.min = 1 + (uint64_t)fuzz_byte(&in) * fuzz_byte(&in);
	config.size.max = config.size.min + fuzz_byte(&in);
}

static void begin(void)
{
	const struct payload payload = run.payload;

	configure();
	now_ns = SEC(1);
	run = (struct load_run){ .config = &config, .whole = &config, .payload = payload };
	run.target_count = 1;
	run.targets[0].addrs = (struct addr_list){ .at = { server, server }, .count = 2 };
	run.batch_mask = load_batches(&config) - 1;
	run.start_ns = now_ns;
	run.measure_ns = now_ns + MSEC(fuzz_byte(&in));
	run.end_ns = config.messages ? INT64_MAX : now_ns + SEC(10);
	FUZZ_CHECK(outage_init(&run.outages, config.connections, 1, config.stall) == 0);
	role = load_role;
	role.conn_size = load_conn_size(&config);
	net = (struct net_config){ .backend = &fuzzed,
				   .max_conns = UINT32_MAX,
				   .slots = SLOTS,
				   .max_unsent = 1,
				   .max_unsent_total = 1 };
	worker = (struct worker){ .config = &net,
				  .role = &role,
				  .role_state = &load,
				  .conns = &conns,
				  .cpu = -1,
				  .done_fd = -1,
				  .wake_fd = -1 };
	load = (struct load){
		.worker = &worker, .watched = &run.outages.workers[0], .number_step = 1, .rng = 1
	};
	FUZZ_CHECK(load_init(&load, &run, config.connections + config.idle) == 0);
	if (config.messages)
		load.quota = config.messages;
	FUZZ_CHECK(worker_init(&worker) == 0);
	outage_start(&run.outages, run.start_ns);
	role.start(&worker);
}

/* As worker_check_stop: the loop acts on what was asked for. */
static void check_stop(void)
{
	const enum worker_stop how = (enum worker_stop)atomic_load(&worker.stop);

	if (how == worker.stopping)
		return;
	worker.stopping = how;
	role.stop(&worker, how);
}

/* The end of a turn. */
static void turn(int64_t later_ns)
{
	now_ns += later_ns;
	worker.now_ns = now_ns;
	timers_run(&worker.timers, now_ns);
	check_stop();
	role.turned(&worker);
	conn_reap(&worker);
}

/* ---- what the server does ---- */

struct choice {
	unsigned left;
	struct conn *c;
};

static void choose(struct conn *c, void *arg)
{
	struct choice *choice = arg;

	if (choice->left-- == 0)
		choice->c = c;
}

/* @right: so many of them are what was sent. */
static void came(struct conn *c, const uint8_t *data, size_t len, size_t right)
{
	const struct load_conn *lc = conn_role(c);
	const size_t due = size_min(len, lc->handed - c->received);
	const bool wrong = due < len || (config.verify && right < due);

	if (c->fin || c->eof || len == 0)
		return;
	arrived += len;
	if (conn_data(c, data, len) == CONN_SEND)
		(void)take_span(c);
	FUZZ_CHECK(wrong == (c->state == CONN_CLOSING && c->cause == CAUSE_CORRUPT));
	if (wrong)
		surplus += len - due;
}

/* The bytes that are owed; @wrong: one of them is not, or, where all are right, there are more. */
static void answer(struct conn *c, bool wrong)
{
	static uint8_t copy[BYTES_MAX];
	const struct load_conn *lc = conn_role(c);
	const uint64_t owed = c->sent - c->received;
	size_t right, len = owed * (1u + fuzz_byte(&in)) / (UINT8_MAX + 1u);

	if (c->received > c->sent)
		return;
	len = len < BYTES_MAX ? len : BYTES_MAX;
	if (wrong && len < BYTES_MAX)
		len++;
	right = len;
	memcpy(copy, payload_at(&run.payload, lc->base, c->received), len);
	if (wrong && len > 0) {
		right = fuzz_byte(&in) * len / (UINT8_MAX + 1u);
		copy[right] ^= (uint8_t)(1 + fuzz_byte(&in) % UINT8_MAX);
	}
	came(c, copy, len, right);
}

/* Bytes from nowhere; now and then they are what is owed. */
static void surprise(struct conn *c)
{
	const size_t len = size_min((size_t)(in.end - in.at), SURPRISE);
	const struct load_conn *lc = conn_role(c);

	came(c, in.at, len, payload_right(&run.payload, lc->base, c->received, in.at, len));
}

static void end(struct conn *c, unsigned how)
{
	static const int errnos[] = { ECONNRESET, EPIPE, ETIMEDOUT, EHOSTUNREACH, ECONNREFUSED };

	switch (how % 4) {
	case 0:
		if (!c->eof)
			conn_eof(c);
		break;
	case 1:
		conn_send_failed(c, errnos[how / 4 % 2]);
		break;
	default:
		conn_fail(c, errnos[how / 4 % ARRAY_LEN(errnos)]);
		break;
	}
}

static void happen_open(struct conn *c)
{
	switch (fuzz_byte(&in) % 8) {
	case 0:
	case 1:
	case 2:
		answer(c, false);
		break;
	case 3:
		answer(c, true);
		break;
	case 4:
		surprise(c);
		break;
	case 5:
		end(c, fuzz_byte(&in));
		break;
	default:
		if (c->span_len > 0 && !c->send_err && take_span(c))
			conn_drained(c);
		break;
	}
}

static void happen_dialing(struct conn *c)
{
	static const int errnos[] = { ECONNREFUSED, EAGAIN, ETIMEDOUT, EADDRNOTAVAIL };
	const uint8_t how = fuzz_byte(&in);

	if (how % 4 > 0)
		conn_opened(c);
	else
		conn_fail(c, errnos[how / 4 % ARRAY_LEN(errnos)]);
}

static void step(void)
{
	const uint8_t which = fuzz_byte(&in);
	struct choice choice = { .left = which / 8 % SLOTS };

	if (which % 8 == 0) {
		turn(USEC(100) * fuzz_byte(&in));
		return;
	}
	if (which == UINT8_MAX) {
		worker_stop(&worker, WORKER_DRAIN + fuzz_byte(&in) % 3);
		turn(0);
		return;
	}
	conn_each(&worker, choose, &choice);
	if (choice.c && choice.c->state == CONN_OPEN)
		happen_open(choice.c);
	else if (choice.c)
		happen_dialing(choice.c);
	conn_reap(&worker);
}

/* ---- the end ---- */

static void check_books(void)
{
	struct books *b = &load.books[0];
	uint64_t ended = 0;

	FUZZ_CHECK(worker.live == 0 && atomic_load(&conns) == 0 && load.dialing == 0);
	FUZZ_CHECK(load.owed == 0);
	FUZZ_CHECK(b->bytes_sent == gone && b->bytes_received == arrived);
	FUZZ_CHECK(b->bytes_surplus == surplus &&
		   (config.verify || !b->corruption.found || surplus));
	b->planned = b->all.sent; /* as run.c has it: what was missed had no target yet */
	b->planned += load.missed;
	b->missed += load.missed;
	FUZZ_CHECK(!books_check(b));
	for (unsigned i = 0; i < b->outcome_count; i++)
		ended += b->outcomes[i].count;
	FUZZ_CHECK(ended + b->open_at_end + b->connecting_at_end == b->attempts);
	FUZZ_CHECK(!config.messages || b->all.sent <= config.messages + config.idle);
}

static void drop_queue(void)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	in = (struct fuzz_input){ data, data + len };
	gone = arrived = surplus = 0;
	begin();
	for (int i = 0; i < STEPS_MAX && in.at < in.end; i++)
		step();
	worker_stop(&worker, WORKER_RESET);
	turn(SEC(20));
	turn(0);
	check_books();
	outage_finish(&run.outages);
	drop_queue();
	load_fini(&load);
	worker_fini(&worker);
	outage_fini(&run.outages);
	return 0;
}
