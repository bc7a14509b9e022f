/* SPDX-License-Identifier: MIT
 * merge: to be written in a moment.
 */
#include "merge.h"

int merge_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 70;
}
