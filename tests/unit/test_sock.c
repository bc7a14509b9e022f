/* SPDX-License-Identifier: MIT
 * test_sock: listeners that share a port among us and with nobody else, and what a socket knows.
 */
#include "echo/net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo/base/addr.h"
#include "echo/base/base.h"

#include "suites.h"

static const struct sock_options plain = { .backlog = 16 };

static struct addr address(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(&a, text), 0);
	return a;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void wait_for(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	ck_assert_int_eq(poll(&p, 1, 20000), 1);
}

/* Both ends of a connection through @listener. */
struct pair {
	int dialed, accepted;
};

static struct pair connect_pair(int listener, const struct addr *to, const struct sock_options *o)
{
	struct pair p = { .dialed = sock_dial(to, NULL, o) };

	ck_assert_int_ge(p.dialed, 0);
	wait_for(p.dialed, POLLOUT);
	ck_assert_int_eq(sock_connected(p.dialed), 0);
	wait_for(listener, POLLIN);
	p.accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(p.accepted, 0);
	return p;
}

START_TEST(port_zero_is_chosen_and_told)
{
	struct addr a = address("127.0.0.1:0"), b = address("127.0.0.1:0");
	int fd, other;

	ck_assert_int_eq(sock_listen(&a, &plain, &fd, 1), 0);
	ck_assert_int_eq(sock_listen(&b, &plain, &other, 1), 0);
	ck_assert_uint_ne(addr_port(&a), 0);
	ck_assert_uint_ne(addr_port(&a), addr_port(&b));
	close(fd);
	close(other);
}
END_TEST

START_TEST(listeners_of_one_call_share_a_port)
{
	enum { COUNT = 4, CONNECTIONS = 200 };
	struct addr a = address("127.0.0.1:0");
	int fds[COUNT], dialed[CONNECTIONS];
	unsigned used = 0;

	ck_assert_int_eq(sock_listen(&a, &(struct sock_options){ .backlog = 1000 }, fds, COUNT), 0);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		dialed[i] = sock_dial(&a, NULL, &plain);
		ck_assert_int_ge(dialed[i], 0);
		wait_for(dialed[i], POLLOUT);
	}
	int queued = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		int n = sock_queued(fds[i]);

		ck_assert_int_ge(n, 0);
		used += n > 0;
		queued += n;
		ck_assert_int_ne(fcntl(fds[i], F_GETFL) & O_NONBLOCK, 0);
		ck_assert_int_ne(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, 0);
		close(fds[i]);
	}
	ck_assert_int_eq(queued, CONNECTIONS);
	ck_assert_uint_gt(used, 1);
	for (unsigned i = 0; i < CONNECTIONS; i++)
		close(dialed[i]);
}
END_TEST

START_TEST(a_port_that_another_group_serves_is_refused_and_nothing_stays_open)
{
	struct addr a = address("127.0.0.1:0"), again;
	int fds[3], others[3] = { -1, -1, -1 };
	int before = dup(0);

	ck_assert_int_eq(sock_listen(&a, &plain, fds, 3), 0);
	again = a;
	ck_assert_int_eq(sock_listen(&again, &plain, others, 3), -EADDRINUSE);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
	close(before);
	int after = dup(0); /* the lowest free one: as before */

	ck_assert_int_eq(after, before);
	close(after);
	ck_assert_int_eq(sock_listen(&again, &plain, others, 3), 0);
	for (unsigned i = 0; i < 3; i++)
		close(others[i]);
}
END_TEST

START_TEST(a_port_is_free_again_with_connections_in_time_wait)
{
	struct addr a = address("127.0.0.1:0");
	int fd;

	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(sock_listen(&a, &plain, &fd, 1), 0);
		struct pair p = connect_pair(fd, &a, &plain);

		close(p.accepted); /* first: TIME-WAIT is here */
		close(p.dialed);
		close(fd);
	}
}
END_TEST

START_TEST(both_families_have_the_port_to_themselves)
{
	struct addr six = address("[::]:0"), four = address("0.0.0.0:0");
	int fd6, fd4;

	ck_assert_int_eq(sock_listen(&six, &plain, &fd6, 1), 0);
	addr_set_port(&four, addr_port(&six));
	ck_assert_int_eq(sock_listen(&four, &plain, &fd4, 1), 0);
	ck_assert_int_eq(option(fd6, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	close(fd4);
	close(fd6);
}
END_TEST

START_TEST(an_address_of_somebody_else_is_refused)
{
	struct addr a = address("192.0.2.1:0");
	int fd;

	ck_assert_int_eq(sock_listen(&a, &plain, &fd, 1), -EADDRNOTAVAIL);
}
END_TEST

START_TEST(options_reach_both_ends)
{
	const struct sock_options o = { .keepalive = { 77, 7, 3 },
					.user_timeout_ns = MSEC(4321),
					.congestion = "reno",
					.backlog = 5 };
	struct addr a = address("127.0.0.1:0");
	char name[SOCK_CONGESTION_MAX];
	int fd;

	ck_assert_int_eq(sock_listen(&a, &o, &fd, 1), 0);
	struct pair p = connect_pair(fd, &a, &o);
	const int ends[] = { p.dialed, p.accepted };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		socklen_t len = sizeof(name);

		ck_assert_int_eq(option(ends[i], IPPROTO_TCP, TCP_NODELAY), 1);
		ck_assert_int_eq(option(ends[i], SOL_SOCKET, SO_KEEPALIVE), 1);
		ck_assert_int_eq(option(ends[i], IPPROTO_TCP, TCP_KEEPIDLE), 77);
		ck_assert_int_eq(option(ends[i], IPPROTO_TCP, TCP_KEEPINTVL), 7);
		ck_assert_int_eq(option(ends[i], IPPROTO_TCP, TCP_KEEPCNT), 3);
		ck_assert_int_eq(option(ends[i], IPPROTO_TCP, TCP_USER_TIMEOUT), 4321);
		ck_assert_int_eq(getsockopt(ends[i], IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
		ck_assert_str_eq(name, "reno");
		close(ends[i]);
	}
	close(fd);
}
END_TEST

START_TEST(an_unknown_congestion_control_is_an_error)
{
	const struct sock_options o = { .congestion = "nosuch", .backlog = 5 };
	struct addr a = address("127.0.0.1:0");
	int fd;

	ck_assert_int_eq(sock_listen(&a, &o, &fd, 1), -ENOENT);
	ck_assert_int_eq(sock_dial(&a, NULL, &o), -ENOENT);
}
END_TEST

START_TEST(a_refused_connect_is_told)
{
	struct addr a = address("127.0.0.1:0");
	int fd, r;

	ck_assert_int_eq(sock_listen(&a, &plain, &fd, 1), 0);
	close(fd);
	fd = sock_dial(&a, NULL, &plain);
	r = fd;
	if (fd >= 0) {
		wait_for(fd, POLLOUT);
		r = sock_connected(fd);
		close(fd);
	}
	ck_assert_int_eq(r, -ECONNREFUSED);
}
END_TEST

START_TEST(a_socket_is_not_connected_to_itself)
{
	static const char *const loopback[] = { "127.0.0.1:0", "[::1]:0" };
	struct addr a = address(loopback[_i]);
	int fd;

	ck_assert_int_eq(sock_listen(&a, &plain, &fd, 1), 0);
	close(fd); /* nobody listens there, and it is the client's own port */
	ck_assert_int_eq(sock_dial(&a, &a, &plain), -ECONNREFUSED);
	ck_assert_int_eq(sock_listen(&a, &plain, &fd, 1), 0); /* not even in TIME-WAIT */
	close(fd);
}
END_TEST

START_TEST(it_dials_from_the_address_that_is_asked_for)
{
	struct addr a = address("127.0.0.1:0"), from = address("127.0.0.9:0"), seen;
	int fd, dialed;

	ck_assert_int_eq(sock_listen(&a, &plain, &fd, 1), 0);
	dialed = sock_dial(&a, &from, &plain);
	ck_assert_int_ge(dialed, 0);
	wait_for(dialed, POLLOUT);
	seen.len = sizeof(seen.ss);
	ck_assert_int_eq(getsockname(dialed, (struct sockaddr *)&seen.ss, &seen.len), 0);
	addr_set_port(&seen, 0);
	ck_assert(addr_equal(&seen, &from));
	close(dialed);
	from = address("192.0.2.1:0");
	ck_assert_int_eq(sock_dial(&a, &from, &plain), -EADDRNOTAVAIL);
	close(fd);
}
END_TEST

/* Until the peer's kernel has acknowledged that much. */
static void wait_acked(int fd, bool dialed, uint64_t want)
{
	uint64_t acked = 0;

	for (int i = 0; i < 10000 && acked < want; i++) {
		ck_assert_int_eq(sock_acked(fd, dialed, 0, &acked), 0);
		usleep(1000);
	}
	ck_assert_uint_eq(acked, want);
}

START_TEST(acknowledged_bytes_are_those_of_the_stream_at_both_ends)
{
	struct addr a = address("127.0.0.1:0");
	char bytes[1000] = { 0 };
	uint64_t acked = 9;
	int fd;

	ck_assert_int_eq(sock_listen(&a, &plain, &fd, 1), 0);
	struct pair p = connect_pair(fd, &a, &plain);

	ck_assert_int_eq(sock_acked(p.dialed, true, 0, &acked), 0);
	ck_assert_uint_eq(acked, 0);
	ck_assert_int_eq(sock_acked(p.accepted, false, 0, &acked), 0);
	ck_assert_uint_eq(acked, 0);
	ck_assert_int_eq(send(p.dialed, bytes, 1000, MSG_NOSIGNAL), 1000);
	ck_assert_int_eq(send(p.accepted, bytes, 7, MSG_NOSIGNAL), 7);
	wait_acked(p.dialed, true, 1000);
	wait_acked(p.accepted, false, 7);
	sock_abort(p.accepted);
	close(p.accepted);
	wait_for(p.dialed, POLLHUP);
	wait_acked(p.dialed, true, 1000); /* of a dead socket, too */
	close(p.dialed);
	close(fd);
}
END_TEST

/* Another process holds a copy. Who comes meanwhile is not let in, and refused when that has gone:
 * a SYN is sent again after a second. */
START_TEST(who_comes_to_a_deaf_listener_is_refused_when_it_has_gone)
{
	struct addr at = address(_i ? "[::1]:0" : "127.0.0.1:0");
	int fd, copy, dialed;

	ck_assert_int_eq(sock_listen(&at, &plain, &fd, 1), 0);
	copy = dup(fd);
	sock_deafen(fd);
	close(fd);
	dialed = sock_dial(&at, NULL, &plain);
	ck_assert_int_ge(dialed, 0);
	close(copy);
	wait_for(dialed, POLLOUT);
	ck_assert_int_eq(sock_connected(dialed), -ECONNREFUSED);
	close(dialed);
}
END_TEST

START_TEST(abort_resets)
{
	struct addr a = address("127.0.0.1:0");
	char byte;
	int fd;

	ck_assert_int_eq(sock_listen(&a, &plain, &fd, 1), 0);
	struct pair p = connect_pair(fd, &a, &plain);

	sock_abort(p.accepted);
	close(p.accepted);
	wait_for(p.dialed, POLLIN);
	ck_assert_int_eq(recv(p.dialed, &byte, 1, 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	close(p.dialed);
	close(fd);
	sock_abort(-1); /* best effort */
}
END_TEST

START_TEST(what_is_no_socket_has_no_figures)
{
	uint64_t acked = 5;
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(sock_acked(ends[0], true, 0, &acked), -ENOTSOCK);
	ck_assert_uint_eq(acked, 5);
	ck_assert_int_eq(sock_connected(ends[0]), -ENOTSOCK);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(the_limit_of_descriptors_is_raised_to_the_hard_one_at_most)
{
	struct rlimit l = { .rlim_cur = 100, .rlim_max = 200 }, now;

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &l), 0);
	ck_assert_uint_eq(sock_raise_nofile(50), 100);
	ck_assert_uint_eq(sock_raise_nofile(150), 150);
	ck_assert_uint_eq(sock_raise_nofile(1000), 200);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &now), 0);
	ck_assert_uint_eq(now.rlim_cur, 200);
}
END_TEST

Suite *sock_suite(void)
{
	const char *fork = getenv("CK_FORK");
	Suite *s = suite_create("sock");
	TCase *tc = tcase_create("sock");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, port_zero_is_chosen_and_told);
	tcase_add_test(tc, listeners_of_one_call_share_a_port);
	tcase_add_test(tc, a_port_that_another_group_serves_is_refused_and_nothing_stays_open);
	tcase_add_test(tc, a_port_is_free_again_with_connections_in_time_wait);
	tcase_add_test(tc, both_families_have_the_port_to_themselves);
	tcase_add_test(tc, an_address_of_somebody_else_is_refused);
	tcase_add_test(tc, options_reach_both_ends);
	tcase_add_test(tc, an_unknown_congestion_control_is_an_error);
	tcase_add_test(tc, a_refused_connect_is_told);
	tcase_add_loop_test(tc, a_socket_is_not_connected_to_itself, 0, 2);
	tcase_add_test(tc, it_dials_from_the_address_that_is_asked_for);
	tcase_add_test(tc, acknowledged_bytes_are_those_of_the_stream_at_both_ends);
	tcase_add_loop_test(tc, who_comes_to_a_deaf_listener_is_refused_when_it_has_gone, 0, 2);
	tcase_add_test(tc, abort_resets);
	tcase_add_test(tc, what_is_no_socket_has_no_figures);
	if (!fork || strcmp(fork, "no") != 0) /* limits stay with the process */
		tcase_add_test(tc, the_limit_of_descriptors_is_raised_to_the_hard_one_at_most);
	suite_add_tcase(s, tc);
	return s;
}
