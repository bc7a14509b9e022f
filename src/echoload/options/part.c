/* SPDX-License-Identifier: MIT
 * part: arithmetic of shares, and the variables by which launchers tell a process its rank.
 */
#include "part.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "echo/base/base.h"
#include "echo/base/opt.h"
#include "opts.h"

/* ---- the option ---- */

static const char auto_prefix[] = "auto";

static const struct opt number_row = {
	.type = &opt_uint, .min = 1, .max = PARTS_MAX, .size = sizeof(uint32_t)
};

static int part_fail(char why[OPT_ERROR_MAX])
{
	snprintf(why, OPT_ERROR_MAX,
		 "must be K/N, such as 3/8, with K from 1 to N and N up to %d; or auto, or auto/N",
		 PARTS_MAX);
	return -EINVAL;
}

static int part_parse(const struct opt *o, const char *text, void *field, char why[OPT_ERROR_MAX])
{
	const char *slash = strchr(text, '/');
	char first[OPT_TEXT_MAX], drop[OPT_ERROR_MAX];
	struct part p = { .number = 0 };

	(void)o;
	snprintf(first, sizeof(first), "%.*s", slash ? (int)(slash - text) : (int)strlen(text),
		 text);
	p.automatic = strcmp(first, auto_prefix) == 0;
	if (slash ? opt_uint.parse(&number_row, slash + 1, &p.count, drop) < 0 : !p.automatic)
		return part_fail(why);
	if (!p.automatic &&
	    (opt_uint.parse(&number_row, first, &p.number, drop) < 0 || p.number > p.count))
		return part_fail(why);
	memcpy(field, &p, sizeof(p));
	return 0;
}

static bool part_print(const struct opt *o, const void *field, unsigned nth,
		       char text[OPT_TEXT_MAX])
{
	const struct part *p = field;

	(void)o;
	if (p->number > 0)
		snprintf(text, OPT_TEXT_MAX, "%" PRIu32 "/%" PRIu32, p->number, p->count);
	else if (p->count > 0)
		snprintf(text, OPT_TEXT_MAX, "%s/%" PRIu32, auto_prefix, p->count);
	else
		snprintf(text, OPT_TEXT_MAX, "%s", auto_prefix);
	return nth == 0;
}

const struct opt_type opt_part = { "K/N", part_parse, part_print };

/* ---- launchers ---- */

/* The first whose rank is set counts: what an outer launcher has set for its one process (a batch
 * script of Slurm, a pod) the inner one's processes inherit. */
static const struct {
	const char *rank, *size; /* NULL: it does not say how many there are */
	const char *run[2];      /* what it calls this run; NULL: nothing */
} launchers[] = {
	{ "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", { "PMIX_NAMESPACE" } },
	{ "PMI_RANK", "PMI_SIZE", { NULL } },
	{ "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", { "SLURM_JOB_ID", "SLURM_STEP_ID" } },
	{ "PMIX_RANK", NULL, { "PMIX_NAMESPACE" } },
	{ "JOB_COMPLETION_INDEX", NULL, { NULL } }, /* Kubernetes: an Indexed Job */
};

static int variable_error(struct opt_set *s, const char *name, const char *value)
{
	return opt_error_at(s, "part", "%s is '%.40s', which is none from 0 to %d", name, value,
			    PARTS_MAX);
}

/* A number of the environment, up to PARTS_MAX. Returns false: it is none. */
static bool variable_number(const char *value, uint32_t *n)
{
	char *end;
	unsigned long parsed = strtoul(value, &end, 10);

	if (value[0] < '0' || value[0] > '9' || *end || parsed > PARTS_MAX)
		return false;
	*n = (uint32_t)parsed;
	return true;
}

/* What the launcher calls this run: only from text that can stand in a result. */
static void part_name_run(struct part *p, const char *const names[2],
			  char *(*get)(const char *name))
{
	size_t len = 0;

	for (unsigned i = 0; i < 2 && names[i]; i++) {
		const char *value = get(names[i]);

		for (; value && *value && len + 2 < sizeof(p->run); value++)
			p->run[len++] = (char)(*value > ' ' && *value <= '~' ? *value : '?');
		if (i == 0 && names[1] && len + 2 < sizeof(p->run))
			p->run[len++] = '.';
	}
	p->run[len] = '\0';
}

int part_resolve(struct opt_set *s, struct part *p, char *(*get)(const char *name))
{
	const char *rank = NULL, *size = NULL;
	uint32_t number, count = p->count;
	size_t i;

	if (!p->automatic)
		return 0;
	for (i = 0; i < ARRAY_LEN(launchers) && !rank; i++)
		rank = get(launchers[i].rank);
	if (!rank)
		return opt_error_at(s, "part",
				    "no launcher has set %s, PMI_RANK, PMIX_RANK, SLURM_PROCID or "
				    "JOB_COMPLETION_INDEX",
				    launchers[0].rank);
	i--;
	if (!variable_number(rank, &number))
		return variable_error(s, launchers[i].rank, rank);
	if (launchers[i].size)
		size = get(launchers[i].size);
	if (size && !variable_number(size, &count))
		return variable_error(s, launchers[i].size, size);
	if (size && p->count > 0 && p->count != count)
		return opt_error_at(s, "part", "auto/%" PRIu32 ", but %s is %" PRIu32, p->count,
				    launchers[i].size, count);
	if (count == 0)
		return opt_error_at(s, "part", "%s does not say how many parts there are: auto/N",
				    launchers[i].rank);
	if (number >= count)
		return opt_error_at(s, "part", "%s is %" PRIu32 ", counted from 0, of %" PRIu32,
				    launchers[i].rank, number, count);
	p->number = number + 1;
	p->count = count;
	snprintf(p->from, sizeof(p->from), "%s", launchers[i].rank);
	part_name_run(p, launchers[i].run, get);
	return 0;
}

/* ---- shares ---- */

uint64_t part_share_of(const struct part *p, uint64_t total)
{
	return total / p->count + (p->number <= total % p->count);
}

uint64_t part_before(const struct part *p, uint64_t total)
{
	const uint64_t earlier = p->number - 1, more = total % p->count;

	return total / p->count * earlier + (earlier < more ? earlier : more);
}

void part_share(const struct load_config *whole, struct load_config *share)
{
	const struct part *p = &whole->part;
	const uint64_t all = (uint64_t)whole->connections + whole->idle;

	*share = *whole;
	share->connections = (unsigned)part_share_of(p, whole->connections);
	share->idle = (unsigned)(part_share_of(p, all) - share->connections);
	share->messages = part_share_of(p, whole->messages);
	share->max_errors = part_share_of(p, whole->max_errors);
	share->rate = whole->rate * share->connections / whole->connections;
	share->min_rate = whole->min_rate * share->connections / whole->connections;
}

int part_check(struct opt_set *s, const struct load_config *whole)
{
	const uint32_t count = whole->part.count;

	if (whole->connections < count)
		return opt_error_at(s, "connections",
				    "%u for %" PRIu32 " parts of the load: each needs one",
				    whole->connections, count);
	if (whole->messages > 0 && whole->messages < count)
		return opt_error_at(s, "messages",
				    "%" PRIu64 " for %" PRIu32 " parts of the load: each needs one",
				    whole->messages, count);
	return 0;
}

uint64_t part_place(const struct load_config *whole, uint64_t number)
{
	const struct part *p = &whole->part;
	const uint64_t nth = number / p->count, active = part_share_of(p, whole->connections);
	const uint64_t all = (uint64_t)whole->connections + whole->idle;

	if (nth < active)
		return part_before(p, whole->connections) + nth;
	return whole->connections + part_before(p, all) - part_before(p, whole->connections) + nth -
	       active;
}

/* How many of the numbers below @end are @rest modulo @count. */
static uint64_t numbers_below(uint64_t end, unsigned rest, unsigned count)
{
	return end / count + (end % count > rest);
}

uint32_t part_requested(const struct load_config *whole, unsigned target, unsigned count)
{
	const uint64_t begin = part_before(&whole->part, whole->connections);
	const uint64_t end = begin + part_share_of(&whole->part, whole->connections);

	return (uint32_t)(numbers_below(end, target, count) - numbers_below(begin, target, count));
}
