/* SPDX-License-Identifier: MIT
 * privileged: what an echod that serves in its sandbox needs privileges for, and its helper does
 * for it (sandbox/helper.h): files, new sockets, a successor.
 */
#ifndef ECHOD_PRIVILEGED_H
#define ECHOD_PRIVILEGED_H

struct server;

/* Says what the helper of @s does, and whether there is anything for it to do. Before it starts. */
void privileged_begin(struct server *s);

#endif
