/* SPDX-License-Identifier: MIT
 * fault_signal: the part of fault.c that lets a signal come before the n-th call of the thread that
 * runs main.
 *
 *   ECHOLAB_FAULT=main:3:signal15   no call fails; allocations do not count
 *   ECHOLAB_FAULT_FROM=asked        calls count while the last byte of ECHOLAB_FAULT_LOG is not 0
 *
 * The log's line has the call, and what becomes of the signal then: "blocked", "ignored", or
 * "default". How many calls there were is an int that ends 4 bytes before the last. The signal is
 * sent to the process, or in a sandbox, which forbids that, to the thread. Programs that this one
 * starts, and its children, have none.
 */
#ifndef FAULT_SIGNAL_H
#define FAULT_SIGNAL_H

enum { ASKED_AT = LOG_LEN - 1, STEPS_AT = LOG_LEN - 8, KERNEL_SET = 8, KERNEL_ACTION = 64 };

static _Thread_local bool is_main __attribute__((tls_model("initial-exec")));

static void fault_signal_child(void)
{
	is_main = false;
}

static void fault_signal_init(const char *what)
{
	fault.what = SIGNAL;
	if (sscanf(what, "signal%d", &fault.signal) != 1)
		abort();
	unsetenv("ECHOLAB_FAULT");
	pthread_atfork(NULL, NULL, fault_signal_child);
}

static void fault_signal_begin(void)
{
	is_main = fault.what == SIGNAL;
}

/* By system calls: the functions are counted. */
static const char *fault_disposition(void)
{
	unsigned long action[KERNEL_ACTION / sizeof(long)] = { 0 };
	uint64_t mask = 0;

	libc_syscall(SYS_rt_sigprocmask, (const long[6]){ SIG_BLOCK, 0, (long)&mask, KERNEL_SET });
	libc_syscall(SYS_rt_sigaction,
		     (const long[6]){ fault.signal, 0, (long)action, KERNEL_SET });
	if (mask & 1ULL << (fault.signal - 1))
		return "blocked";
	return action[0] == (unsigned long)SIG_IGN ? "ignored" : "default";
}

/* A call of any thread is about to be made. */
static void fault_step(const char *name)
{
	static unsigned steps;
	const int saved = errno;
	char line[LOG_LEN];

	if (!is_main || strcmp(name, "malloc") == 0 ||
	    (fault.from && !(fault.log && fault.log[ASKED_AT])))
		return;
	steps++;
	if (fault.log)
		memcpy(fault.log + STEPS_AT, &steps, sizeof(steps));
	if (steps != fault.nth)
		return;
	snprintf(line, sizeof(line), "%s %s", name, fault_disposition());
	fault_log(line);
	if (libc_syscall(SYS_kill, (const long[6]){ getpid(), fault.signal }) < 0)
		(void)raise(fault.signal);
	errno = saved;
}

#endif
