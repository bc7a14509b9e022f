/* SPDX-License-Identifier: MIT
 * wrap: a function that the linker puts in the place of another (ld's --wrap).
 */
#ifndef SIM_WRAP_H
#define SIM_WRAP_H

/* Begins the definition of the function that is called where the code under test calls @name, and
 * declares the real one. The names are the linker's. */
#define WRAP(type_, name_, ...)                                                                    \
	type_ __real_##name_(__VA_ARGS__);                                                         \
	type_ __wrap_##name_(__VA_ARGS__);                                                         \
	type_ __wrap_##name_(__VA_ARGS__)

#endif
