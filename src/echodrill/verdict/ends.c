/* SPDX-License-Identifier: MIT
 * ends: a pass over the client's capture that follows each connection, from its SYN to the next SYN
 * of its port.
 */
#include "ends.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "capture.h"
#include "echo/base/base.h"
#include "echodrill/rig/frame.h"

enum { PORTS = 65536 };

struct flow {
	bool used, answered, established;
	bool fin_sent; /* by the server, perhaps out of order */
	uint32_t isn;  /* of the client's SYN */
	uint32_t sent; /* the client's bytes before it have been on the wire */
	uint32_t irs;  /* of the server's SYN */
	uint32_t next; /* the client has what the server sent before it */
	uint32_t fin;  /* number of the server's FIN */
	int64_t syn_ns, established_ns;
	int64_t asked_ns;                   /* the client's last new bytes */
	int64_t client_ns;                  /* its last frame */
	int64_t closed_ns;                  /* its first FIN or RST; 0: none */
	int64_t refused_ns, fin_ns, rst_ns; /* of the server, 0: none */
};

static struct flow flows[PORTS]; /* by the client's port */
static struct ends found;
static struct ends_about known;

const char *ends_name(enum end_kind kind)
{
	static const char *const names[] = { [END_REFUSED] = "refused",
					     [END_UNANSWERED] = "unanswered",
					     [END_RESET] = "reset",
					     [END_EOF] = "eof",
					     [END_OWN] = "own" };

	static_assert(ARRAY_LEN(names) == END_KINDS, "every kind has a name");
	assert(kind < END_KINDS);
	return names[kind];
}

static bool is_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

static unsigned bit(enum end_kind kind)
{
	return 1u << kind;
}

/* Whether a limit of the client's may have been over when what the wire saw at @until_ns had come
 * to it: half of it counts, because messages wait for their turn, and so may the client. */
static bool is_near(int64_t since_ns, int64_t until_ns, int64_t limit_ns)
{
	return limit_ns > 0 && until_ns + known.crossing_ns - since_ns > limit_ns / 2;
}

/* Whether the client has asked for more than has come back: of an echo as many bytes. */
static bool is_owed(const struct flow *f)
{
	const uint32_t next = f->fin_sent && is_before(f->fin, f->next) ? f->fin : f->next;

	return is_before(next - f->irs, f->sent - f->isn);
}

/* What an attempt that did not come to a connection can have ended in. */
static unsigned kinds_of_attempt(const struct flow *f)
{
	if (f->refused_ns == 0)
		return bit(END_UNANSWERED) | (f->rst_ns > 0 ? bit(END_RESET) : 0);
	return bit(END_REFUSED) | (is_near(f->syn_ns, f->refused_ns, known.connect_timeout_ns) ||
						   f->refused_ns >= known.over_ns
					   ? bit(END_UNANSWERED)
					   : 0);
}

/* What a connection can have ended in. */
static unsigned kinds_of_connection(const struct flow *f)
{
	const bool reset = f->rst_ns > 0 && f->client_ns <= f->rst_ns + known.crossing_ns;
	const bool eof = f->fin_ns > 0 && (!reset || f->fin_ns <= f->rst_ns);
	const int64_t server_ns = eof ? f->fin_ns : f->rst_ns;
	const unsigned late = is_near(f->syn_ns, f->established_ns, known.connect_timeout_ns)
				      ? bit(END_UNANSWERED)
				      : 0;
	unsigned kinds;

	if (!eof && !reset)
		return bit(END_OWN) | late;
	/* it may have been closing, and wait for the server's FIN */
	if (f->closed_ns > 0 && f->closed_ns < server_ns)
		return bit(END_OWN) | late | (reset ? bit(END_RESET) : 0);
	kinds = bit(eof ? END_EOF : END_RESET);
	if ((known.churn && !is_owed(f)) || server_ns >= known.over_ns ||
	    is_near(f->asked_ns, server_ns, known.timeout_ns))
		kinds |= bit(END_OWN);
	return kinds | late;
}

static void flow_end(const struct flow *f)
{
	const unsigned kinds = f->established ? kinds_of_connection(f) : kinds_of_attempt(f);

	for (enum end_kind k = 0; k < END_KINDS; k++) {
		found.least[k] += kinds == bit(k);
		found.most[k] += (kinds & bit(k)) != 0;
	}
	found.attempts++;
}

/* A SYN that is not a repeated one begins another connection. */
static void flow_begin(struct flow *w, const struct frame *f, int64_t t_ns)
{
	if (w->used && w->isn == f->seq)
		return;
	if (w->used)
		flow_end(w);
	*w = (struct flow){
		.used = true, .isn = f->seq, .sent = f->seq + 1, .syn_ns = t_ns, .client_ns = t_ns
	};
}

/* The client has all that the server sent before @next, and with it perhaps its FIN. */
static void flow_heard(struct flow *w, uint32_t next, int64_t t_ns)
{
	if (is_before(w->next, next))
		w->next = next;
	if (w->fin_sent && w->fin_ns == 0 && !is_before(w->next, w->fin))
		w->fin_ns = t_ns;
}

static void see_client(struct flow *w, const struct frame *f, int64_t t_ns)
{
	const bool rst = f->flags & FRAME_RST;

	/* a RST without an acknowledgement answers a segment for which there is no socket any more
	 * (RFC 9293, 3.10.7.1): that is no news of it */
	if (rst && !(f->flags & FRAME_ACK))
		return;
	w->client_ns = t_ns;
	if (w->answered && !w->established && !rst && f->flags & FRAME_ACK) {
		w->established = true;
		w->established_ns = w->asked_ns = t_ns;
	}
	if (f->flags & FRAME_ACK && w->answered)
		flow_heard(w, f->ack, t_ns);
	if (f->len > 0 && is_before(w->sent, f->seq + f->len)) {
		w->sent = f->seq + f->len;
		w->asked_ns = t_ns;
	}
	if (w->closed_ns == 0 && (rst || f->flags & FRAME_FIN))
		w->closed_ns = t_ns;
}

/* What had come before it is in order; of what is behind a gap the client's acknowledgement tells.
 */
static void see_server(struct flow *w, const struct frame *f, int64_t t_ns)
{
	if (f->flags & FRAME_SYN) {
		if (f->ack == w->isn + 1 && !w->answered) {
			w->answered = true;
			w->irs = f->seq;
			w->next = f->seq + 1;
		}
	} else if (f->flags & FRAME_RST) {
		if (w->answered)
			w->rst_ns = t_ns;
		else if (f->ack == w->isn + 1 && w->refused_ns == 0)
			w->refused_ns = t_ns;
	} else if (w->answered) {
		if (f->flags & FRAME_FIN) {
			w->fin_sent = true;
			w->fin = f->seq + f->len;
		}
		flow_heard(w, is_before(w->next, f->seq) ? w->next : f->seq + f->len, t_ns);
	}
}

void ends_begin(const struct ends_about *about)
{
	memset(flows, 0, sizeof(flows));
	memset(&found, 0, sizeof(found));
	known = *about;
}

void ends_see(const struct frame *f, int64_t t_ns)
{
	const bool to_server = capture_to_server(f);
	struct flow *w = &flows[(to_server ? f->from : f->to) % PORTS];

	if (f->kind != FRAME_TCP)
		return;
	if (to_server && (f->flags & (FRAME_SYN | FRAME_ACK)) == FRAME_SYN)
		flow_begin(w, f, t_ns);
	else if (w->used && to_server)
		see_client(w, f, t_ns);
	else if (w->used)
		see_server(w, f, t_ns);
}

void ends_end(struct ends *e)
{
	for (unsigned i = 0; i < PORTS; i++)
		if (flows[i].used)
			flow_end(&flows[i]);
	*e = found;
}

static void each_frame(void *arg, const struct frame *f, int64_t t_ns)
{
	(void)arg;
	ends_see(f, t_ns);
}

int ends_read(struct ends *e, int fd, const struct ends_about *about)
{
	ends_begin(about);
	if (capture_each(fd, each_frame, NULL) < 0)
		return -EIO;
	ends_end(e);
	return 0;
}
