/* SPDX-License-Identifier: MIT
 * fault_steps: the part of fault.c that knows calls which never fail there, but before which a
 * signal may come.
 */
#ifndef FAULT_STEPS_H
#define FAULT_STEPS_H

#define STEP(type, name, params, args)                                                             \
	type name params;                                                                          \
	type name params                                                                           \
	{                                                                                          \
		REAL(name);                                                                        \
		fault_step(#name);                                                                 \
		return real args;                                                                  \
	}

STEP(__sighandler_t, signal, (int number, __sighandler_t to), (number, to))
STEP(int, sigaction, (int number, const struct sigaction *to, struct sigaction *old),
     (number, to, old))
STEP(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *old), (how, set, old))
STEP(int, pthread_join, (pthread_t t, void **result), (t, result))
STEP(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options))
STEP(int, access, (const char *path, int how), (path, how))
STEP(int, stat, (const char *path, struct stat *st), (path, st))

#endif
