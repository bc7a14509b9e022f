/* SPDX-License-Identifier: MIT
 * picture: draws what the layout has placed. The columns are the client program, its kernel, the
 * wire, the server's kernel, the server program; colours follow the system's light or dark.
 */
#include "picture.h"

#include <errno.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/escape.h"
#include "echo/base/units.h"
#include "echodrill/report/report.h"
#include "echodrill/stage/run.h"
#include "echodrill/verdict/judge.h"
#include "layout.h"
#include "states.h"

/* where things stand, from left to right */
enum {
	WIDTH = 1040,
	TIME_X = 58,
	LEFT_X = 68,
	CLIENT_X = 310,
	CLIENT_KERNEL_X = 374,
	WIRE_X = 520,
	SERVER_KERNEL_X = 666,
	SERVER_X = 730,
	RIGHT_X = 742,
	BAR = 10,
	FINDING_HEIGHT = 18,
};

static const char fault_mark[] = "FAULT "; /* before what a drill did, where it is the fault */

static const char style[] =
	"<style>\n"
	"svg{color-scheme:light dark;background:#fff;--ink:#16191d;--soft:#545b66;--line:#c3c9d1;"
	"--blue:#1f66b8;--red:#c22d2d;--green:#167a48;--amber:#b05a00;--ground:#fff;"
	"--s1:#9aa3ae;--s2:#9aa3ae;--s3:#3fa66b;--s4:#5b9bd5;--s5:#8fbbe6;--s6:#e0962f;"
	"--s7:#a07cd0;--s8:#a07cd0;--s9:#4fb3bb}\n"
	"@media(prefers-color-scheme:dark){svg{background:#14171c;--ink:#e8eaed;--soft:#a8b0bb;"
	"--line:#434b57;--blue:#6fb3f8;--red:#ff7f78;--green:#4fcf8e;--amber:#f2b04a;"
	"--ground:#14171c}}\n"
	"text{font:11.5px system-ui,sans-serif;fill:var(--ink)}\n"
	".t{font-size:10px;fill:var(--soft);text-anchor:end;font-variant-numeric:tabular-nums}\n"
	".h{font-weight:600;text-anchor:middle}.title{font-size:17px;font-weight:700}\n"
	".soft{fill:var(--soft)}.l{text-anchor:end}.m{text-anchor:middle}\n"
	".life{stroke:var(--line);stroke-width:1.2}.prog{stroke-dasharray:3 3}\n"
	".seg{stroke:var(--blue);stroke-width:1.3;fill:none}.segt{fill:var(--blue);paint-order:stroke;stroke:var(--ground);stroke-width:4px}\n"
	".again{stroke:var(--amber)}.againt{fill:var(--amber)}\n"
	".rst{stroke:var(--red)}.rstt{fill:var(--red)}\n"
	".cross{stroke:var(--red);stroke-width:2}.fault{stroke:var(--red);stroke-width:1.6}\n"
	".faultt{fill:var(--red);font-weight:700}.drill{stroke:var(--line);stroke-dasharray:2 4}\n"
	".state{font-size:9.5px;fill:var(--soft);paint-order:stroke;stroke:var(--ground);stroke-width:3px}.ground{fill:var(--ground)}\n"
	".ok{fill:var(--green)}.no{fill:var(--red)}.late{fill:var(--amber)}\n"
	"</style>\n";

struct picture {
	const struct result *r;
	const struct layout *l;
	FILE *to;
	unsigned port; /* of the connection whose states are shown */
};

static void put_text(FILE *to, const char *class, double x, double y, const char *text)
{
	fprintf(to, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	escape_markup(to, text);
	fputs("</text>\n", to);
}

static void put_line(FILE *to, const char *class, double x1, double y1, double x2, double y2)
{
	fprintf(to, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class,
		x1, y1, x2, y2);
}

/* ---- heads and lifelines ---- */

static void put_heads(const struct picture *p)
{
	static const struct {
		double x;
		const char *name, *more;
		const char *class;
	} heads[] = {
		{ CLIENT_X, "client", "program", "life prog" },
		{ CLIENT_KERNEL_X, "client's", "kernel", "life" },
		{ WIRE_X, "wire", "", NULL },
		{ SERVER_KERNEL_X, "server's", "kernel", "life" },
		{ SERVER_X, "server", "program", "life prog" },
	};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		put_text(p->to, "h", heads[i].x, LAYOUT_TOP - 34, heads[i].name);
		put_text(p->to, "h soft", heads[i].x, LAYOUT_TOP - 20, heads[i].more);
		if (heads[i].class)
			put_line(p->to, heads[i].class, heads[i].x, LAYOUT_TOP - 12, heads[i].x,
				 p->l->end_y + 6);
	}
}

/* ---- states ---- */

/* One end of the connection, while its bar is drawn. */
struct bar {
	struct end end;
	enum end_state shown;
	double x, from_y;
};

static void bar_close(const struct picture *p, struct bar *b, double y)
{
	const bool left = b->x < WIRE_X;

	if (b->shown != END_CLOSED && y > b->from_y) {
		fprintf(p->to,
			"<rect x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" rx=\"2\" "
			"style=\"fill:var(--s%u)\"><title>%s</title></rect>\n",
			b->x - BAR / 2.0, b->from_y, BAR, y - b->from_y, (unsigned)b->shown,
			states_name(b->shown));
		if (y - b->from_y >= 11)
			put_text(p->to, left ? "state" : "state l", b->x + (left ? 9 : -9),
				 b->from_y + 10, states_name(b->shown));
	}
	b->shown = b->end.state;
	b->from_y = y;
}

static void bar_step(const struct picture *p, struct bar *b, const struct item *i)
{
	const struct segment *s = &p->l->segments.at[i->segment];
	const bool ours = s->to_server == (b->x < WIRE_X); /* this end sends it */

	if (i->kind == ITEM_EVENT || s->port != p->port || s->frame.kind != FRAME_TCP)
		return;
	if (i->kind == ITEM_SENT && ours)
		states_sent(&b->end, &s->frame);
	if (i->kind == ITEM_ARRIVED && !ours)
		states_received(&b->end, &s->frame);
}

/* "1 ESTAB | none": of the client's side, and of the server's. */
static void bar_observe(struct bar *b, const char *words)
{
	const char *middle = strstr(words, " | ");
	char side[EVENT_TEXT_MAX];

	if (!middle)
		return;
	if (b->x < WIRE_X)
		snprintf(side, sizeof(side), "%.*s", (int)(middle - words), words);
	else
		snprintf(side, sizeof(side), "%s", middle + 3);
	states_observed(&b->end, side);
}

static void put_bar(const struct picture *p, double x)
{
	struct bar b = { .x = x };

	for (unsigned n = 0; n < p->l->count; n++) {
		const struct item *i = &p->l->items[n];

		bar_step(p, &b, i);
		if (i->kind == ITEM_EVENT && i->event->who == WHO_STATES)
			bar_observe(&b, i->event->text);
		if (b.end.state != b.shown)
			bar_close(p, &b, i->y);
	}
	b.end.state = END_CLOSED;
	bar_close(p, &b, p->l->end_y + 6);
}

/* The connection that most segments are of. */
static unsigned main_port(const struct segments *s)
{
	unsigned best = 0, most = 0;

	for (unsigned i = 0; i < s->count; i++) {
		unsigned n = 0;

		for (unsigned k = i; k < s->count; k++)
			n += s->at[k].port == s->at[i].port;
		if (s->at[i].port && n > most) {
			most = n;
			best = s->at[i].port;
		}
	}
	return best;
}

/* ---- what happened ---- */

static void put_arrow(const struct picture *p, unsigned n)
{
	const struct segment *s = &p->l->segments.at[n];
	const bool lost = s->arrived_ns < 0, rst = s->frame.flags & FRAME_RST;
	const char *kind = s->of_router || (rst && s->frame.kind == FRAME_TCP) ? "rst"
			   : s->repeat                                         ? "again"
									       : "";
	const double from = s->of_router   ? WIRE_X
			    : s->to_server ? CLIENT_KERNEL_X + BAR / 2.0
					   : SERVER_KERNEL_X - BAR / 2.0;
	const double end = s->to_server ? SERVER_KERNEL_X - BAR / 2.0 : CLIENT_KERNEL_X + BAR / 2.0;
	const double y1 = p->l->sent_y[n], y2 = lost ? y1 + 5 : p->l->arrived_y[n];
	const double to = lost ? (from + end) / 2 : end;
	char words[96], class[32];

	if (y1 <= 0 || (!lost && y2 <= 0))
		return;
	fprintf(p->to,
		"<line class=\"seg %s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"%s/>\n",
		kind, from, y1, to, y2, lost ? "" : " marker-end=\"url(#head)\"");
	if (lost)
		fprintf(p->to, "<path class=\"cross\" d=\"M%.1f %.1fl10 10m0 -10l-10 10\"/>\n",
			to - 5, y2 - 5);
	snprintf(class, sizeof(class), "m segt %s%s", kind, kind[0] ? "t" : "");
	put_text(p->to, class,
		 lost && s->to_server ? (from + to) / 2 + 8 : (from + end) / 2 + (lost ? 70 : 0),
		 (y1 + y2) / 2 - 4, segment_words(s, words));
}

static void put_program(const struct picture *p, const struct item *i)
{
	const bool client = i->event->who == WHO_CLIENT;
	char lines[LAYOUT_LINES_MAX][LAYOUT_LINE_MAX + 4];
	const unsigned n = layout_lines(timeline_words(i->event), lines);

	fprintf(p->to, "<circle cx=\"%d\" cy=\"%.1f\" r=\"3\" fill=\"var(--soft)\"/>\n",
		client ? CLIENT_X : SERVER_X, i->y);
	for (unsigned k = 0; k < n; k++)
		put_text(p->to, client ? "l" : "", client ? CLIENT_X - 10 : RIGHT_X,
			 i->y + 4 + k * LAYOUT_LINE_HEIGHT, lines[k]);
}

/* Beside the server's program, where there is room: arrows have the middle. */
static void put_drill(const struct picture *p, const struct item *i)
{
	const bool fault = strncmp(i->event->text, fault_mark, sizeof(fault_mark) - 1) == 0;
	char lines[LAYOUT_LINES_MAX][LAYOUT_LINE_MAX + 4];
	const char *text = i->event->text + (fault ? sizeof(fault_mark) - 1 : 0);
	const unsigned n = layout_lines(text + strspn(text, " "), lines);

	if (fault)
		put_line(p->to, "fault", LEFT_X, i->y, RIGHT_X - 6, i->y);
	else
		put_line(p->to, "drill", SERVER_KERNEL_X + 8, i->y, RIGHT_X - 6, i->y);
	for (unsigned k = 0; k < n; k++)
		put_text(p->to, fault ? "faultt" : "soft", RIGHT_X,
			 i->y + 4 + k * LAYOUT_LINE_HEIGHT, lines[k]);
}

/* A silence that is not drawn to its length, or traffic that is left out. */
static void put_fold(const struct picture *p, const struct item *i)
{
	const double y = (i->y + (i - 1)->y) / 2 + (i->skipped > 0 ? 5 : 0);
	char text[UNITS_MAX + 64], span[UNITS_MAX];

	for (double x = CLIENT_KERNEL_X; x <= SERVER_KERNEL_X;
	     x += SERVER_KERNEL_X - CLIENT_KERNEL_X)
		fprintf(p->to,
			"<path d=\"M%.1f %.1fl14 -6v8l-14 6z\" class=\"ground\" "
			"stroke=\"var(--line)\"/>\n",
			x - 7, y);
	if (i->skipped > 0)
		snprintf(text, sizeof(text), "%u more segments like these", i->skipped);
	else
		snprintf(text, sizeof(text), "%s of silence", units_time(i->silence_ns, 3, span));
	put_text(p->to, "m soft", WIRE_X, y + 4, text);
}

static void put_time(const struct picture *p, const struct item *i)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f s",
		 (double)(i->t_ns - p->r->run->record->start_ns) / 1e9);
	put_text(p->to, "t", TIME_X, i->y + 4, text);
}

static void put_items(const struct picture *p)
{
	double time_y = 0;

	for (unsigned n = 0; n < p->l->count; n++) {
		const struct item *i = &p->l->items[n];
		const bool event = i->kind == ITEM_EVENT,
			   states = event && i->event->who == WHO_STATES;

		if (n > 0 && (i->folded || i->skipped > 0))
			put_fold(p, i);
		if (i->kind != ITEM_ARRIVED && !states && i->y - time_y >= LAYOUT_LINE_HEIGHT) {
			put_time(p, i);
			time_y = i->y;
		}
		if (i->kind == ITEM_SENT)
			put_arrow(p, i->segment);
		else if (event && i->event->who == WHO_DRILL)
			put_drill(p, i);
		else if (event && !states)
			put_program(p, i);
	}
}

/* A picture has bounds, and says so. */
static void put_left_out(const struct picture *p)
{
	const unsigned n = p->l->left_out + p->l->segments.left_out;
	char text[64];

	snprintf(text, sizeof(text), "%u more events are not drawn", n);
	if (n > 0)
		put_text(p->to, "m late", WIRE_X, p->l->end_y + 4, text);
}

/* ---- expectations ---- */

static double put_findings(const struct picture *p, double y)
{
	static const struct {
		const char *class, *mark;
	} rulings[] = {
		[RULING_OK] = { "ok", "ok" },          [RULING_NO] = { "no", "NO" },
		[RULING_LATE] = { "late", "late" },    [RULING_DOUBT] = { "late", "??" },
		[RULING_SKIPPED] = { "soft", "skip" },
	};
	const struct judgement *j = p->r->judgement;
	char text[OPT_TEXT_MAX + 300];

	for (unsigned i = 0; i < j->count; i++) {
		const struct finding *f = &j->at[i];

		y += FINDING_HEIGHT;
		put_text(p->to, rulings[f->ruling].class, 24, y, rulings[f->ruling].mark);
		snprintf(text, sizeof(text), "%.90s %s: %s", f->what, f->expected, f->observed);
		put_text(p->to, "", LEFT_X, y, text);
	}
	return y + 20;
}

static void put_title(const struct picture *p)
{
	const struct judgement *j = p->r->judgement;
	char text[256], knew[UNITS_MAX];

	put_text(p->to, "title", 14, 28, p->r->name);
	if (j->knew_ns < 0 && !record_sound(p->r->run->record))
		snprintf(text, sizeof(text), "%s: %.100s", judge_verdict_name(j->verdict),
			 j->reason);
	else if (j->knew_ns >= 0)
		snprintf(text, sizeof(text), "%s; the client knew after %s: %s",
			 judge_verdict_name(j->verdict), units_time(j->knew_ns, 3, knew), j->knew);
	else
		snprintf(text, sizeof(text), "%s; the client never knew",
			 judge_verdict_name(j->verdict));
	put_text(p->to, j->verdict == VERDICT_PASS ? "ok" : "late", 14, 48, text);
}

static void put_all(const struct picture *p, double height)
{
	FILE *to = p->to;

	fprintf(to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
		"viewBox=\"0 0 %d %.0f\" role=\"img\" aria-labelledby=\"title desc\">\n"
		"<title id=\"title\">",
		WIDTH, height, WIDTH, height);
	escape_markup(to, p->r->name);
	fputs("</title>\n<desc id=\"desc\">", to);
	for (unsigned i = 0; i < p->r->drill->story.count; i++) {
		escape_markup(to, p->r->drill->story.at[i]);
		fputc(' ', to);
	}
	fprintf(to,
		"</desc>\n%s<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" "
		"markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" "
		"fill=\"context-stroke\"/></marker></defs>\n",
		style);
	put_title(p);
	put_heads(p);
	put_bar(p, CLIENT_KERNEL_X);
	put_bar(p, SERVER_KERNEL_X);
	put_items(p);
	put_left_out(p);
	(void)put_findings(p, p->l->end_y + 24);
	fputs("</svg>\n", to);
}

int picture_svg(const struct result *r, FILE *to)
{
	static struct layout layout;
	struct picture p = { .r = r, .l = &layout, .to = to };

	layout_make(&layout, r->run->record, r->run->pcap);
	p.port = main_port(&layout.segments);
	put_all(&p, layout.end_y + 24 + (r->judgement->count + 1) * FINDING_HEIGHT + 20);
	return fflush(to) == 0 && !ferror(to) ? 0 : -EIO;
}
