/* SPDX-License-Identifier: MIT
 * hosts: the network of a drill, inside a private machine:
 *
 *     client c0 -- w0 wire w1 -- r0 router r1 -- s0 server
 *     10.77.1.2                  .1.1   .2.1     10.77.2.2        fd77:1::2  fd77:2::2
 *
 * Faults of the path are made in the router: what a client drops itself takes another way through
 * its kernel. The wire delays every frame, so that nothing arrives inside the call that sent it, as
 * veth alone would have it.
 */
#ifndef ECHODRILL_HOSTS_H
#define ECHODRILL_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum host { HOST_CLIENT, HOST_WIRE, HOST_ROUTER, HOST_SERVER, HOST_COUNT };

enum { HOSTS_PORT = 7007, HOSTS_TEXT_MAX = 4096 };

struct hosts {
	int family;         /* 4 or 6 */
	int ns[HOST_COUNT]; /* network namespaces */
	char why[256];      /* what went wrong */
};

/* "client", ...; NULL-terminated. */
extern const char *const host_names[];

/* The host of that name, or -1. */
int hosts_number(const char *name);

/* Address of a host as text: "10.77.2.2" or "fd77:2::2". */
const char *hosts_address(int family, enum host host);

/* Makes all of it. Returns 0, or -errno with h->why. */
int hosts_open(struct hosts *h, int family);

/* The texts that hosts_open gives to `ip -batch` on @host (HOST_COUNT: outside of all hosts) and to
 * `nft -f` on the router; for `echodrill show`. */
void hosts_ip_text(int family, enum host host, char text[HOSTS_TEXT_MAX]);
extern const char hosts_nft_text[];

/* This thread is on that host until hosts_leave. */
void hosts_enter(const struct hosts *h, enum host host);
void hosts_leave(const struct hosts *h);

/* Runs `ip -batch -`, `tc -batch -`, `nft -f -` or `ss` on a host. Returns 0, or -errno with
 * h->why (what the tool said). */
int hosts_tool(struct hosts *h, enum host host, const char *const *argv, const char *input);
int hosts_ip(struct hosts *h, enum host host, const char *text);
int hosts_nft(struct hosts *h, enum host host, const char *text);

/* Whether a host has a sysctl of that name ("net."...) of its own. Of all others there is one, the
 * machine's. */
bool hosts_has_sysctl(const char *name);

/* Writes a sysctl ("net.ipv4.tcp_retries2") on a host. Returns 0, or -errno with h->why. */
int hosts_sysctl(struct hosts *h, enum host host, const char *name, const char *value);

/* Reads one; "" if there is none. */
void hosts_sysctl_read(struct hosts *h, enum host host, const char *name, char *value, size_t size);

/* Runs a tool that looks, and takes down what it prints. Returns 0, or -errno: then it is "". */
int hosts_ask(struct hosts *h, enum host host, const char *const *argv, char *out, size_t size);

/* Connects from the client's host to the server's port, and closes. Returns "connected", "timeout"
 * (ours) or the errno's name. */
const char *hosts_dial(const struct hosts *h, int64_t limit_ns);

/* Packets that the router's counter `fault` has counted, or -errno. */
int64_t hosts_fault_packets(struct hosts *h);

/* Puts {server}, {client}, {port}, {port2}, {ip} and {dir} in a text. */
void hosts_expand(int family, const char *text, char *to, size_t size);

#endif
