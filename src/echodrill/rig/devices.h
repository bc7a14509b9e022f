/* SPDX-License-Identifier: MIT
 * devices: a /dev of a private machine's own. Programs of root throw output away by its name, and
 * some put a file in the place of the name they are given, or change its mode: they do so here to a
 * device that ends with the drill.
 */
#ifndef ECHODRILL_DEVICES_H
#define ECHODRILL_DEVICES_H

/* Mounts it at /dev: null, zero, full, random, urandom, tty, terminals (pts) and shared memory
 * (shm), and nothing else. /run must be private and writable. Returns 0 or -errno, with what
 * failed in *@what. */
int devices_mount(const char **what);

#endif
