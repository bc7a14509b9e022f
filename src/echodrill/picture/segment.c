/* SPDX-License-Identifier: MIT
 * segment: a segment that both sides have seen is the same by its ports, numbers, flags and length.
 * Both captures are one process's, by one clock.
 */
#include "segment.h"

#include <stdio.h>

#include "echodrill/verdict/capture.h"

/* What sees a frame: the list, and whose side this is. */
struct reader {
	struct segments *list;
	bool of_server; /* this is the capture of the server's side */
};

static bool is_same(const struct segment *s, const struct frame *f)
{
	const struct frame *o = &s->frame;

	return o->kind == f->kind && o->from == f->from && o->to == f->to && o->seq == f->seq &&
	       o->ack == f->ack && o->flags == f->flags && o->len == f->len;
}

/* How often the same bytes, or the same SYN or FIN, have gone before. */
static unsigned repeats(const struct segments *s, const struct frame *f)
{
	unsigned n = 0;

	if (f->len == 0 && !(f->flags & (FRAME_SYN | FRAME_FIN)))
		return 0;
	for (unsigned i = 0; i < s->count; i++) {
		const struct frame *o = &s->at[i].frame;

		n += o->kind == FRAME_TCP && o->from == f->from && o->to == f->to &&
		     o->seq == f->seq && o->len == f->len && o->flags == f->flags;
	}
	return n;
}

static bool is_shown(const struct frame *f)
{
	return f->kind == FRAME_TCP || (f->kind == FRAME_ICMP && f->about_tcp);
}

/* The side that sends: a new segment. */
static void add_sent(struct segments *list, const struct frame *f, int64_t t_ns, bool to_server)
{
	struct segment *s = &list->at[list->count];

	if (list->count == SEGMENTS_MAX) {
		list->left_out++;
		return;
	}
	*s = (struct segment){
		.frame = *f,
		.sent_ns = t_ns,
		.arrived_ns = -1,
		.port = f->kind == FRAME_TCP ? to_server ? f->from : f->to : 0,
		.to_server = to_server,
		.repeat = f->kind == FRAME_TCP ? repeats(list, f) : 0,
	};
	list->count++;
}

/* The side that receives: of those alike the last one that was sent before. An earlier one that has
 * not arrived is lost: that is why it was sent again. */
static void add_arrived(struct segments *list, const struct frame *f, int64_t t_ns)
{
	for (unsigned i = list->count; i-- > 0;) {
		struct segment *s = &list->at[i];

		if (s->arrived_ns >= 0 || s->sent_ns > t_ns || !is_same(s, f))
			continue;
		s->arrived_ns = t_ns;
		return;
	}
}

/* Of two that are alike and were under way together the first has arrived first. */
static void uncross(struct segments *list)
{
	for (unsigned i = 0; i < list->count; i++) {
		struct segment *a = &list->at[i];

		for (unsigned k = i + 1; a->arrived_ns >= 0 && k < list->count; k++) {
			struct segment *b = &list->at[k];
			const int64_t arrived_ns = a->arrived_ns;

			if (b->arrived_ns < 0 || b->arrived_ns > arrived_ns ||
			    b->sent_ns > arrived_ns || !is_same(a, &b->frame))
				continue;
			a->arrived_ns = b->arrived_ns;
			b->arrived_ns = arrived_ns;
		}
	}
}

/* First pass: what each side sends. An ICMP error that the client's side alone has seen comes from
 * the router. */
static void see_sent(void *arg, const struct frame *f, int64_t t_ns)
{
	const struct reader *r = arg;
	const bool to_server = capture_to_server(f);

	if (!is_shown(f))
		return;
	if (f->kind == FRAME_TCP && to_server != r->of_server)
		add_sent(r->list, f, t_ns, to_server);
	if (f->kind == FRAME_ICMP && !r->of_server) {
		add_sent(r->list, f, t_ns, false);
		if (r->list->left_out == 0) {
			r->list->at[r->list->count - 1].of_router = true;
			r->list->at[r->list->count - 1].arrived_ns = t_ns;
		}
	}
}

/* Second pass: what each side receives. */
static void see_arrived(void *arg, const struct frame *f, int64_t t_ns)
{
	const struct reader *r = arg;

	if (f->kind == FRAME_TCP && capture_to_server(f) == r->of_server)
		add_arrived(r->list, f, t_ns);
}

/* Insertion sort: two lists in order, one behind the other. */
static void sort(struct segments *s)
{
	for (unsigned i = 1; i < s->count; i++) {
		const struct segment one = s->at[i];
		unsigned k = i;

		for (; k > 0 && s->at[k - 1].sent_ns > one.sent_ns; k--)
			s->at[k] = s->at[k - 1];
		s->at[k] = one;
	}
}

void segment_read(struct segments *s, int client_pcap, int server_pcap)
{
	struct reader client = { s, false }, server = { s, true };

	s->count = s->left_out = 0;
	capture_each(client_pcap, see_sent, &client);
	capture_each(server_pcap, see_sent, &server);
	capture_each(client_pcap, see_arrived, &client);
	capture_each(server_pcap, see_arrived, &server);
	sort(s);
	uncross(s);
}

const char *segment_words(const struct segment *s, char text[96])
{
	char words[64];

	frame_words(&s->frame, words);
	if (s->frame.kind == FRAME_TCP && s->frame.len > 0 &&
	    s->frame.flags & (FRAME_SYN | FRAME_FIN | FRAME_RST))
		snprintf(text, 96, "%s, %u bytes", words, s->frame.len);
	else
		snprintf(text, 96, "%s", words);
	if (s->repeat > 0)
		snprintf(text, 96, "%s, again (%u)", words, s->repeat);
	return text;
}
