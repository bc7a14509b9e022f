/* SPDX-License-Identifier: MIT
 * plot: `echoload plot`: a picture of a run.
 */
#ifndef ECHOLOAD_PLOT_H
#define ECHOLOAD_PLOT_H

/* argv[0] is "plot". Returns the exit code. */
int plot_main(int argc, char **argv);

#endif
