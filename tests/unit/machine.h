/* SPDX-License-Identifier: MIT
 * machine: an invented machine, made of files below a folder, with what it tells and what it does
 * not.
 */
#ifndef ECHO_TESTS_MACHINE_H
#define ECHO_TESTS_MACHINE_H

#include <check.h>

/* Stands before every path of the machine. */
extern char machine_root[64];

/* A test case whose tests have a machine each, without any file. */
TCase *machine_tcase(const char *name);

/* Makes a file, with the folders above it, or gives it another content. */
void machine_file(const char *path, const char *text);

#endif
