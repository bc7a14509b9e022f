/* SPDX-License-Identifier: MIT
 * opt_private: what the files of opt share. A row is named by its two indices, because they lead to
 * the row, its field and its origin alike.
 */
#ifndef ECHO_OPT_PRIVATE_H
#define ECHO_OPT_PRIVATE_H

#include "echo/base/opt.h"

enum {
	OPT_NAME_MAX = 128, /* "--section-key", "PROGRAM_SECTION_KEY" */
	OPT_PLACE_MAX = 320,
	OPT_HINT_MAX = 192,
	OPT_EXPLAIN_MAX = 768,
};

struct opt_at {
	unsigned section, row;
};

static inline const struct opt *opt_row(const struct opt_set *s, struct opt_at at)
{
	return &s->sections[at.section].rows[at.row];
}

static inline void *opt_field(const struct opt_set *s, struct opt_at at)
{
	return (char *)s->sections[at.section].base + opt_row(s, at)->offset;
}

/* Steps to the next row, over the ends of sections; start with { 0, 0 }. False: there is none. */
bool opt_valid(const struct opt_set *s, struct opt_at *at);

/* Finds a row by the name that @how calls it: OPT_DEFAULT "key" or "section.key", OPT_FILE always
 * "section.key", OPT_ENV "PROGRAM_SECTION_KEY", OPT_CLI "--section-key". '-' and '_' are the same
 * but in the environment. */
bool opt_find(const struct opt_set *s, enum opt_level how, const char *name, struct opt_at *at);

/* Writes that name. */
void opt_name(const struct opt_set *s, struct opt_at at, enum opt_level how,
	      char name[OPT_NAME_MAX]);

/* Writes "; did you mean 'x'?" for a name that opt_find did not find, or "". */
void opt_hint(const struct opt_set *s, enum opt_level how, const char *name,
	      char hint[OPT_HINT_MAX]);

/* Is there a section of this name? If not, writes "; did you mean [x]?" or "". */
bool opt_is_section(const struct opt_set *s, const char *name, char hint[OPT_HINT_MAX]);

/* The section of a config file where a row stands. */
static inline const char *opt_heading(const struct opt_set *s, struct opt_at at)
{
	const char *group = opt_row(s, at)->group;

	return group ? group : s->sections[at.section].name;
}

/* Writes where a value of this row came from: "echod.conf:3: workers: ", "--workers: ". */
void opt_place(const struct opt_set *s, struct opt_at at, struct opt_origin from,
	       char place[OPT_PLACE_MAX]);

/* Sets s->error, one printable line. Returns -EINVAL. */
int opt_fail(struct opt_set *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Gives a row its value. Returns 0, or -EINVAL with s->error set. */
int opt_apply(struct opt_set *s, struct opt_at at, const char *text, struct opt_origin from);

/* Reads the command line and the environment (opt_args.c). */
int opt_read_env(struct opt_set *s, char *const *env);
/* Looks ahead: returns 1 when a row that ends reading was found (and set), 0 or -EINVAL; *file is
 * the text of the row for the config file, untouched if it was not given. */
int opt_peek_args(struct opt_set *s, int argc, char **argv, const char **file);
/* Returns the number of operands, moved to argv + 1. */
int opt_read_args(struct opt_set *s, int argc, char **argv);

/* Writes "0 to 1024" or "auto, epoll or fork"; false: the type knows no such limits. */
bool opt_limits(const struct opt *o, char text[OPT_ERROR_MAX]);

bool opt_number_limits(const struct opt *o, char text[OPT_ERROR_MAX]);

/* Writes "help (0 to 1024; may repeat; default 0; live)". */
void opt_explain(const struct opt_set *s, struct opt_at at, char text[OPT_EXPLAIN_MAX]);

/* Is this one of the words of opt_bool? */
bool opt_bool_word(const char *text, bool *value);

/* Does a bare option mean "on"? Bools and flags. */
static inline bool opt_is_switch(const struct opt *o)
{
	return o->type == &opt_bool || !o->type->metavar;
}

#endif
