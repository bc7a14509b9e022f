/* SPDX-License-Identifier: MIT
 * reload: SIGHUP. The configuration is read again, and what can change while the server runs does:
 * all of it, or, where a line of the file is wrong or an address cannot be had, nothing.
 */
#ifndef ECHOD_RELOAD_H
#define ECHOD_RELOAD_H

struct server;

/* Reads it, changes what has changed, and logs what that was, what takes a restart, or why nothing
 * has changed. Not during a takeover, nor after one. Blocks until every worker has come to it. */
void reload_run(struct server *s);

#endif
