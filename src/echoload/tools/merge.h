/* SPDX-License-Identifier: MIT
 * merge: `echoload merge`: several results as one.
 */
#ifndef ECHOLOAD_MERGE_H
#define ECHOLOAD_MERGE_H

/* argv[0] is "merge". Returns the exit code. */
int merge_main(int argc, char **argv);

#endif
