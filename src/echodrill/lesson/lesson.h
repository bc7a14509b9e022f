/* SPDX-License-Identifier: MIT
 * lesson: the exercises of docs/lesson, one row for each lesson. An exercise is a few drills, files
 * in configs/drills/lessons, that a program of the student's takes part in; what it means that one
 * of their steps or expectations was missed stands in the file itself.
 */
#ifndef ECHODRILL_LESSON_H
#define ECHODRILL_LESSON_H

#include <stddef.h>

enum { LESSON_COUNT = 4, LESSON_DRILLS_MAX = 3 };

struct lesson {
	const char *title;
	/* names of drills, NULL at the end: for a client of the student's, for a server */
	const char *client[LESSON_DRILLS_MAX + 1], *server[LESSON_DRILLS_MAX + 1];
};

extern const struct lesson lessons[LESSON_COUNT];

/* The lesson with this number, from "1" on. NULL: there is none. */
const struct lesson *lesson_find(const char *number);

#endif
