/* SPDX-License-Identifier: MIT
 * coverage_exit: a process that ends by _exit tells what it ran, too: in a build with coverage the
 * linker puts this in the place of _exit (--wrap). So end the processes of drills, helpers and the
 * children of the fork backend.
 */
#include <unistd.h>

void __gcov_dump(void); /* libgcov's */
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));

void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}
