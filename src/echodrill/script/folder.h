/* SPDX-License-Identifier: MIT
 * folder: the files of a folder of drills or programs, in order of their names.
 */
#ifndef ECHODRILL_FOLDER_H
#define ECHODRILL_FOLDER_H

#include <glob.h>

/* All *.conf of @folder into @g, which globfree gives back; @what are they: "drills". Returns an
 * exit code, said; then there is nothing to give back. */
int folder_read(const char *folder, const char *what, glob_t *g);

#endif
