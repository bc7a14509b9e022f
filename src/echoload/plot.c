/* SPDX-License-Identifier: MIT
 * plot: to be written in a moment.
 */
#include "plot.h"

int plot_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return 70;
}
