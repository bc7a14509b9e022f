/* SPDX-License-Identifier: MIT
 * page: `echoload report`: one HTML file that shows runs, and needs nothing else.
 */
#ifndef ECHOLOAD_PAGE_H
#define ECHOLOAD_PAGE_H

/* argv[0] is "report". Returns the exit code. */
int page_main(int argc, char **argv);

#endif
