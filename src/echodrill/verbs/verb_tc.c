/* SPDX-License-Identifier: MIT
 * verb_tc: a line for `tc -batch` on a host. As a fault it counts when the queueing discipline is
 * there and packets went through it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "doing.h"
#include "echodrill/script/arguments.h"
#include "echodrill/script/drill.h"
#include "echodrill/script/verb.h"
#include "echodrill/script/words.h"
#include "echodrill/stage/run.h"

/* The word of a command that follows @key, or "". */
static void word_after(const char *text, const char *key, char word[DRILL_WORD_MAX])
{
	char now[OPT_TEXT_MAX], before[OPT_TEXT_MAX] = "";

	word[0] = '\0';
	while (word_next(&text, now, sizeof(now)) == 0) {
		if (strcmp(before, key) == 0)
			snprintf(word, DRILL_WORD_MAX, "%.15s", now);
		memcpy(before, now, sizeof(before));
	}
}

/* "sent": with its counters */
static void ask(struct doing *d, bool sent, char state[CHANGE_STATE_MAX])
{
	char dev[DRILL_WORD_MAX];
	const char *const argv[] = { "tc", sent ? "-s" : "-d", "qdisc", "show", "dev", dev, NULL };

	word_after(d->s->rest, "dev", dev);
	hosts_ask(&d->r->hosts, d->s->host, argv, state, CHANGE_STATE_MAX);
}

/* Packets that went through the discipline, by "Sent 0 bytes 0 pkt". */
static int64_t qdisc_packets(const char *state)
{
	const char *at = strstr(state, "Sent ");

	at = at ? strstr(at, "bytes ") : NULL;
	return at ? strtoll(at + 6, NULL, 10) : -1;
}

static int tc_act(struct doing *d)
{
	static const char *const argv[] = { "tc", "-batch", "-", NULL };
	int r = doing_left_out(d) ? 0 : hosts_tool(&d->r->hosts, d->s->host, argv, d->text);

	return r < 0 ? doing_tool_failed(d, r) : 0;
}

static void tc_before(struct doing *d)
{
	ask(d, false, change_before);
}

static void tc_after(struct doing *d)
{
	ask(d, false, change_after);
	change_show(d);
	ask(d, true, change_after);
	d->o->counted = qdisc_packets(change_after);
}

static void tc_end(struct doing *d)
{
	ask(d, true, change_after);
	change_caught(d, qdisc_packets(change_after));
}

const struct verb verb_tc = {
	.name = "tc",
	.usage = "tc HOST TEXT",
	.parse = argument_host_rest,
	.act = tc_act,
	.can_be_fault = true,
	.before = tc_before,
	.after = tc_after,
	.end = tc_end,
};
