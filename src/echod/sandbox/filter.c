/* SPDX-License-Identifier: MIT
 * filter: one seccomp filter for all threads, since threads that share their memory are not
 * protected from each other anyway.
 *
 * A call whose arguments do not matter costs next to nothing: the kernel remembers that it is
 * allowed, without running the filter (Linux 5.11). So those that a message needs are allowed
 * whatever their arguments.
 */
#include "filter.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "echo/base/base.h"
#include "echo/net/backend.h"

#define CALL(number_)                                                                              \
	{                                                                                          \
		.number = (number_)                                                                \
	}
/* An argument that is an int: the kernel ignores its upper half. */
#define CALL_IF(number_, arg_, mask_, value_)                                                      \
	{                                                                                          \
		.number = (number_), .arg = (arg_), .mask = (mask_), .value = (value_)             \
	}
#define WHOLE 0xffffffff

/* What main and every worker do, of whatever backend. */
static const struct backend_call filter_common[] = {
	CALL(SYS_read),
	CALL(SYS_write),
	CALL(SYS_writev),
	CALL(SYS_close),
	/* connections, and the socket of a takeover */
	CALL(SYS_recvfrom),
	CALL(SYS_sendto),
	CALL(SYS_recvmsg),
	CALL(SYS_sendmsg),
	CALL(SYS_accept4),
	/* not for receiving: a listener that is shut so is a socket that nobody has connected yet,
	 * and sending with MSG_FASTOPEN would connect it to anybody */
	CALL_IF(SYS_shutdown, 1, WHOLE, SHUT_WR),
	CALL(SYS_listen),
	CALL(SYS_getsockopt),
	CALL(SYS_setsockopt),
	CALL(SYS_getsockname),
	CALL(SYS_getpeername),
	CALL_IF(SYS_fcntl, 1, WHOLE, F_GETFL),
	CALL_IF(SYS_fcntl, 1, WHOLE, F_SETFL),
	CALL_IF(SYS_fcntl, 1, WHOLE, F_GETFD),
	CALL_IF(SYS_fcntl, 1, WHOLE, F_SETFD),
	CALL_IF(SYS_fcntl, 1, WHOLE, F_DUPFD_CLOEXEC),
	CALL_IF(SYS_ioctl, 1, WHOLE, SIOCOUTQ), /* what a unix socket has not delivered */
/* waiting, and waking */
#ifdef SYS_poll
	CALL(SYS_poll),
#endif
	CALL(SYS_ppoll),
	CALL(SYS_futex),
	CALL(SYS_eventfd2),
	CALL(SYS_signalfd4),
	CALL(SYS_restart_syscall),
	CALL(SYS_nanosleep),
	CALL(SYS_clock_nanosleep),
	CALL(SYS_sched_yield),
	CALL(SYS_sched_getaffinity), /* malloc, for a thread that allocates */
	/* time: where the vDSO cannot tell it */
	CALL(SYS_clock_gettime),
	CALL(SYS_gettimeofday),
	/* memory, none of which can be run */
	CALL(SYS_brk),
	CALL(SYS_munmap),
	CALL(SYS_mremap),
	CALL(SYS_madvise),
	CALL_IF(SYS_mprotect, 2, PROT_EXEC, 0),
#ifdef __s390x__
	CALL(SYS_mmap), /* its arguments lie in memory */
#elif defined(SYS_mmap)
	CALL_IF(SYS_mmap, 2, PROT_EXEC, 0),
#endif
	/* the metrics server's thread, which may just be beginning */
	CALL(SYS_set_robust_list),
	CALL(SYS_rseq),
	CALL_IF(SYS_prctl, 0, WHOLE, PR_SET_NAME),
	CALL(SYS_epoll_pwait),
	CALL(SYS_epoll_ctl),
#ifdef SYS_epoll_wait
	CALL(SYS_epoll_wait),
#endif
	/* what connections are owed that move: a file without a name */
	CALL(SYS_memfd_create),
	CALL(SYS_pread64),
	CALL(SYS_pwrite64),
	CALL(SYS_lseek),
	CALL(SYS_ftruncate),
	CALL(SYS_fstat),
	CALL(SYS_getdents64), /* of folders in /proc that were opened before */
#ifdef SYS_newfstatat
	CALL_IF(SYS_newfstatat, 3, AT_EMPTY_PATH, AT_EMPTY_PATH), /* fstat, by libc */
#endif
	CALL_IF(SYS_ioctl, 1, WHOLE, TCGETS), /* isatty */
	/* signals, and the end */
	CALL(SYS_rt_sigaction),
	CALL(SYS_rt_sigprocmask),
	CALL(SYS_rt_sigreturn),
	CALL(SYS_getpid),
	CALL(SYS_gettid),
	CALL(SYS_getuid),
	CALL(SYS_geteuid),
	CALL(SYS_getgid),
	CALL(SYS_getegid),
	CALL(SYS_getrandom),
	CALL_IF(SYS_prlimit64, 0, WHOLE, 0), /* its own: a reload may need more descriptors */
	CALL(SYS_exit),
	CALL(SYS_exit_group),
	BACKEND_CALLS_END,
};

/* No library makes these by itself: who does is an intruder. */
static const int filter_deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(bpf),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
	SCMP_SYS(open_by_handle_at),
};

enum { PRIORITY_MAX = 255 };

/* Those that come first are compared first. */
static int filter_allow(scmp_filter_ctx f, const struct backend_call *c)
{
	unsigned priority = PRIORITY_MAX;
	int r = 0;

	for (; c->number >= 0 && r == 0; c++) {
		const struct scmp_arg_cmp is = { c->arg, SCMP_CMP_MASKED_EQ, c->mask, c->value };

		r = seccomp_rule_add_array(f, SCMP_ACT_ALLOW, c->number, c->mask != 0, &is);
		if (r == 0)
			r = seccomp_syscall_priority(f, c->number, (uint8_t)priority);
		priority -= priority > 0;
	}
	return r;
}

/* What it does to itself: raise(3), which is how it ends by a signal's default, and abort; workers
 * with a table of descriptors each get listeners out of main's at a reload: of no other process is
 * there a descriptor that could be used so. */
static int filter_allow_on_itself(scmp_filter_ctx f)
{
	const struct backend_call own[] = {
		CALL_IF(SYS_tgkill, 0, WHOLE, (uint32_t)getpid()),
		CALL_IF(SYS_pidfd_open, 0, WHOLE, (uint32_t)getpid()),
		CALL(SYS_pidfd_getfd),
		BACKEND_CALLS_END,
	};

	return filter_allow(f, own);
}

/* Until filter_narrow. */
static const struct backend_call filter_of_successor[] = {
	CALL_IF(SYS_shutdown, 1, WHOLE, SHUT_RDWR), /* message_abort */
	CALL(SYS_seccomp),
	BACKEND_CALLS_END,
};

static int filter_kill(scmp_filter_ctx f)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_LEN(filter_deadly) && r == 0; i++)
		r = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, filter_deadly[i], 0);
	return r;
}

static int filter_build(scmp_filter_ctx f, const struct backend_ops *backend, bool takes_over)
{
	int r = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (r == 0)
		r = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	/* on kernels before 5.16 a filter would make all loads wait for stores, against code in the
	 * same process that shall not read what the process may: there is no such code here */
	if (r == 0)
		(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_SSB, 1);
	/* the backend's own last: libseccomp keeps the last priority that a call is given */
	if (r == 0)
		r = filter_allow(f, filter_common);
	if (r == 0)
		r = filter_allow_on_itself(f);
	if (r == 0 && takes_over)
		r = filter_allow(f, filter_of_successor);
	if (r == 0 && backend->calls)
		r = filter_allow(f, backend->calls);
	/* its flags lie in memory; libc knows what to do without it */
	if (r == 0)
		r = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	return r < 0 ? r : filter_kill(f);
}

int filter_load(const struct backend_ops *backend, bool takes_over)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = f ? filter_build(f, backend, takes_over) : -ENOMEM;

	if (r == 0)
		r = seccomp_load(f);
	if (f)
		seccomp_release(f);
	return r < 0 ? r : 0;
}

/* The lower half of an argument. */
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { LOWER = sizeof(uint32_t) };
#else
enum { LOWER = 0 };
#endif

/* By hand: libseccomp makes more calls than this one. The filter before it has looked at the
 * architecture. */
int filter_narrow(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_shutdown, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1]) + LOWER),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SHUT_WR, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	const struct sock_fprog program = { ARRAY_LEN(code), code };
	const long r =
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);

	if (r > 0) /* a thread that has another filter */
		return -ESRCH;
	return r < 0 ? -errno : 0;
}
