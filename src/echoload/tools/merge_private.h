/* SPDX-License-Identifier: MIT
 * merge_private: a result that was read back from its JSON. What stands in it is data, and nobody
 * knows from whom: no name of a file and no other option is taken from it but those of the load
 * that the text for people speaks of.
 */
#ifndef ECHOLOAD_MERGE_PRIVATE_H
#define ECHOLOAD_MERGE_PRIVATE_H

#include <jansson.h>

#include "echo/base/opt.h"
#include "echoload/options/opts.h"
#include "echoload/result/result.h"

enum { MERGE_ERROR_MAX = 512 };

/* Of one number, and of all numbers of all files together: sums stay within 63 bits. It is 73
 * years.
 */
static const int64_t merge_number_max = INT64_MAX / 4;

enum merge_hist {
	MERGE_LATENCY,
	MERGE_UNCORRECTED,
	MERGE_OUTSIDE,
	MERGE_CONNECT,
	MERGE_LATENESS,
	MERGE_HISTS
};

struct merge_part {
	const char *name;          /* of the file */
	json_t *root;              /* without what is big, once that has been read */
	struct result result;      /* what its books say; no intervals */
	struct load_config config; /* of the load; all else is zero */
	uint64_t total;            /* of all numbers that count or add up */
	struct hist *hists[MERGE_HISTS];
	struct outage *outages;
	struct target_result *targets;
	struct part part; /* count 0: it is a whole load, or a sum */
	struct load_config
		whole;          /* of the load that it is a part of; so far as a verdict needs it */
	int64_t uncertainty_ns; /* of its clock; -1: nobody has measured it */
	int64_t stepped_ns;
	struct service_row *service;
	unsigned service_count;
	bool nothing;     /* the file has no line: not even its number is known */
	bool dead;        /* a part without an end: only how far it came is known */
	int64_t until_ns; /* then: since its start */
	uint64_t echoed;
	int lack;                    /* -errno: what could not be had to read it; 0: nothing */
	char error[MERGE_ERROR_MAX]; /* why it cannot be read */
};

/* The sum that is made. */
struct merge {
	struct load_config config; /* of the sum; and what the command line asks for */
	struct opt_set opts;
	struct merge_part
		*parts; /* in order of time; those that are dead stand behind the others */
	unsigned count; /* that are added up */
	unsigned dead_count;
	bool left_out; /* files without a line, which have been named */
	bool together;
	struct hist *hists[MERGE_HISTS];
	struct outage *outages;
	struct target_result *targets;
	struct merge_intervals *intervals; /* of parts; NULL: they are none */
	struct merged_parts found;         /* the same */
	struct result sum;
};

/* Reads a result and checks its books. Returns 0, or -EINVAL with p->error set, and p->lack if it
 * is not the file that is wrong. merge_free gives back what it holds, then too. */
int merge_read(struct merge_part *p, const char *name);
void merge_free(struct merge_part *p);

/* merge_value.c: what stands under a key of @from. What is missing or makes no sense is an error of
 * the part (the first one counts), and then 0, "" or NULL. _moment: a number that is not negative,
 * and is never added up; _number, _count: one that is; _or_none: -1 where there is none, or null.
 */
int64_t merge_value_moment(struct merge_part *p, const json_t *from, const char *key);
int64_t merge_value_number(struct merge_part *p, const json_t *from, const char *key);
int64_t merge_value_number_or_none(struct merge_part *p, const json_t *from, const char *key);
uint64_t merge_value_count(struct merge_part *p, const json_t *from, const char *key);
const char *merge_value_text(struct merge_part *p, const json_t *from, const char *key);
const json_t *merge_value_object(struct merge_part *p, const json_t *from, const char *key);
/* One value of the configuration into @to, as its row reads it; an empty one is none. */
void merge_config_value(struct merge_part *p, struct load_config *to, const char *key,
			const char *value);
/* The row of an option of echoload, which there is. */
const struct opt *merge_config_row(const char *key);
/* Notes the error. Returns -EINVAL. */
int merge_value_fail(struct merge_part *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same, for want of memory. */
int merge_value_no_memory(struct merge_part *p);

/* merge_generator.c: what it says of the generator. */
void merge_generator_read(struct merge_part *p);

/* merge_file.c: p->root from a file, which is a result or JSON Lines that end with one. Of the
 * lines of a part that has no end: what it said when it began, and p->dead. Returns 0, or -EINVAL
 * with p->error set, and p->nothing if that is because nothing was written. */
int merge_file_load(struct merge_part *p);

/* merge_read_part.c: what only a part of a load has. */
void merge_part_read(struct merge_part *p);
/* merge_inputs.c: values that all results have alike; the configuration and context of each. The
 * caller's, or NULL: no memory. */
json_t *merge_config(const struct merge *m);
json_t *merge_inputs(const struct merge *m);

/* merge_load.c: the load of the first result, and of one more; where the sum goes only the command
 * line says. */
void merge_load_first(struct merge *m, const struct load_config *c);
void merge_load_add(struct merge *m, const struct load_config *c);

/* merge_targets.c: adds the targets of @from to those of @to. Returns 0, -ENOMEM, or
 * -E2BIG: there would be more than TARGETS_MAX. */
int merge_targets_add(struct result *to, const struct result *from);

/* merge_parts.c: refuses what is not one load. Returns 0, or -EINVAL: it has been logged. */
int merge_parts_check(struct merge *m);
/* What the sum was asked for, which parts are missing, and how well they kept together; when all
 * have been added up. Returns 0 or -ENOMEM. */
int merge_parts_sum(struct merge *m);
/* The verdict of the sum, as if it were one run. */
void merge_parts_judge(struct merge *m);

/* merge_outages.c: finds the outages of the whole load in the parts, whose times are those of the
 * sum by now: at most OUTAGES_MAX of them are written to @to. Returns their number, or -ENOMEM. */
int merge_outages_find(const struct merge *m, struct outage *to);

/* merge_intervals.c: adds the rows of a part to those of the sum. */
struct merge_intervals *merge_intervals_new(void);
void merge_intervals_free(struct merge_intervals *v);
void merge_intervals_add(struct merge_intervals *v, struct merge_part *p);
/* Rows in order, for the sum, whose first part began at @start_unix_ns. */
void merge_intervals_sum(struct merge_intervals *v, struct result *sum);

/* Points the result's histograms to @hists. */
void merge_point(struct result *r, struct hist *const hists[MERGE_HISTS]);

#endif
